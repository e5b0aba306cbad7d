-- Attribute names for the builder's suggestions: the keys in the attributes of up to 5,000 people, most frequent first.
-- Parameters: workspace, most. Index: none needed, the scan stops at 5,000 rows.
-- Not the ORM: jsonb_object_keys returns a set per row.
select key as name
from (
    select p.attributes
    from end_user p
    where p.workspace_id = %(workspace)s and jsonb_typeof(p.attributes) = 'object' and p.attributes <> '{}'
    limit 5000
) sampled, jsonb_object_keys(sampled.attributes) as key
group by key
order by count(*) desc, key
limit %(most)s
