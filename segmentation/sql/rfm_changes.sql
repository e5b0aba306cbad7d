-- Whose RFM group differs on a day from the last change told before it; from nothing for those who join the population,
-- to nothing for those who leave it.
-- Parameters: workspace, day. Reads the temporary table fresh_rfm. Index: the key of rfm_change.
-- Not the ORM: the latest change per person against today's groups.
with before as (
    select distinct on (end_user_id) end_user_id, to_group
    from rfm_change
    where workspace_id = %(workspace)s and day < %(day)s
    order by end_user_id, day desc
)
select
    %(workspace)s::uuid as workspace_id,
    coalesce(n.end_user_id, b.end_user_id) as end_user_id,
    %(day)s::date as day,
    coalesce(b.to_group, '') as from_group,
    coalesce(n.rfm_group, '') as to_group
from fresh_rfm n
full join before b on b.end_user_id = n.end_user_id
where coalesce(b.to_group, '') <> coalesce(n.rfm_group, '')
