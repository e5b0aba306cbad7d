-- Property names of up to 500 events of one name, for the builder's suggestions.
-- Parameters: workspace, name_id, most. Index: none needed, the scan stops at 500 matches; a name that has not been
-- seen for long costs one scan. Not the ORM: jsonb_object_keys returns a set per row.
select key as name
from (
    select e.properties
    from event e
    where e.workspace_id = %(workspace)s and e.name_id = %(name_id)s and jsonb_typeof(e.properties) = 'object'
    limit 500
) sampled, jsonb_object_keys(sampled.properties) as key
group by key
order by count(*) desc, key
limit %(most)s
