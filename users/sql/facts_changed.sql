-- Who is looked at again by those who go on from facts: whose published row will be another, and whoever was due.
-- Parameters: workspace, day; the hole `code` takes the columns, each of `o` and of `n`. Index: the keys.
-- Not the ORM: all columns of a row at once; person by person.
select n.end_user_id, (o.end_user_id is null) <> n.gone or (not n.gone and o.end_user_id is not null and ({code})) as differs,
    (o.end_user_id is null)::integer - n.gone::integer as more, n.gone
from facts_next n
left join lateral (
    select * from facts where end_user_id = n.end_user_id and workspace_id = %(workspace)s offset 0
) o on true
where n.workspace_id = %(workspace)s
