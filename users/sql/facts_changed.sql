-- Who is looked at again by those who go on from facts: whose published row will be another, and whoever was due; and of
-- whom days did nothing but leave windows. Parameters: workspace; the hole `code` takes two comparisons of `o` and `n`: of
-- all columns, and of those that are not counts of days in a window. Index: the keys.
-- Not the ORM: all columns of a row at once; person by person.
select n.end_user_id, (o.end_user_id is null) <> n.gone or (b.both_there and d.differs) as differs,
    (o.end_user_id is null)::integer - n.gone::integer as more, n.gone, b.both_there and d.differs and not d.beyond as only_windows
from facts_next n
left join lateral (
    select * from facts where end_user_id = n.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0
) o on true
cross join lateral (select not n.gone and o.end_user_id is not null as both_there) b
cross join lateral (select {code}) d (differs, beyond)
where n.workspace_id = %(workspace)s
