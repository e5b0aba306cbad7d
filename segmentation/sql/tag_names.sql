-- Tags given by hand, most frequent first, and how many people in the numbers have each.
-- Parameters: workspace, most (NULL: all).
-- Index: none; one scan of the workspace's people, few of whom have tags. Not the ORM: a set per row.
select tag as name, count(*) filter (where p.identified and not p.excluded) as people
from end_user p, jsonb_array_elements_text(case jsonb_typeof(p.tags) when 'array' then p.tags else '[]' end) as tag
where p.workspace_id = %(workspace)s and p.merged_into is null and p.tags <> '[]'
group by tag
order by count(*) desc, tag
limit %(most)s
