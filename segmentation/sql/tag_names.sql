-- Tags in use, most frequent first. Parameters: workspace, most.
-- Index: none; one scan of the workspace's people, few of whom have tags. Not the ORM: a set per row.
select tag as name
from end_user p, jsonb_array_elements_text(case jsonb_typeof(p.tags) when 'array' then p.tags else '[]' end) as tag
where p.workspace_id = %(workspace)s and p.merged_into is null and p.tags <> '[]'
group by tag
order by count(*) desc, tag
limit %(most)s
