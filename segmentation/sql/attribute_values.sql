-- The most frequent values of one attribute among up to 20,000 people who have it, for the builder's suggestions.
-- Parameters: workspace, name, most. Index: none needed, the scan stops early. Not the ORM: grouping by a JSON key.
select value
from (
    select p.attributes ->> %(name)s as value
    from end_user p
    where p.workspace_id = %(workspace)s and jsonb_exists(p.attributes, %(name)s)
    limit 20000
) sampled
where value <> '' and length(value) <= 200
group by value
order by count(*) desc, value
limit %(most)s
