-- The tallies that each person in `chunk` is to be counted in, and those they are counted in now; only where they differ.
-- Parameters: workspace. Reads the temporary table attributes_told. Indexes: attribute_tally_once, the key of profile_tally.
-- Not the ORM: arrays of ids per person.
select c.end_user_id, coalesce(n.tallies, '{}') as tallies, coalesce(o.tallies, '{}') as before
from chunk c
left join (
    select t.end_user_id, array_agg(a.id order by a.id) as tallies
    from attributes_told t
    join attribute_tally a on a.workspace_id = %(workspace)s and a.name = t.name and a.kind = t.kind
    where t.counted
    group by t.end_user_id
) n using (end_user_id)
left join lateral (
    select tallies from profile_tally where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) offset 0
) o on true
where coalesce(n.tallies, '{}') <> coalesce(o.tallies, '{}')
