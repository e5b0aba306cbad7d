-- Counts erased people no longer in the catalogue of attributes, which forgets the examples that may have been theirs.
-- Parameters: workspace, ids (array of uuids). Index: the keys. Not the ORM: three writes that have to agree.
with gone as (
    delete from profile_tally where workspace_id = %(workspace)s and end_user_id = any(%(ids)s::uuid[]) returning tallies
),
moved as (
    select unnest(tallies) as id, count(*) as people from gone group by 1
),
counted as (
    update attribute_tally a set people = a.people - m.people
    from moved m where a.id = m.id and a.workspace_id = %(workspace)s
    returning a.name, a.kind
),
shown as (
    update attribute a set other_value = ''
    from counted c where a.workspace_id = %(workspace)s and a.name = c.name and a.other_kind = c.kind and a.other_value <> ''
)
select count(*) as rows from gone
