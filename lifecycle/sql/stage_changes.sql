-- Whose stage differs on a day from the last change told before it; from nothing for joiners, to nothing for leavers.
-- Parameters: workspace, day. Reads the temporary table fresh_stages. Index: the key of stage_change.
-- Not the ORM: the latest change per person against today's stages. Whoever leaves churned for another stage returned.
with before as (
    select distinct on (end_user_id) end_user_id, to_stage
    from stage_change
    where workspace_id = %(workspace)s and day < %(day)s
    order by end_user_id, day desc
)
select
    %(workspace)s::uuid as workspace_id,
    coalesce(n.end_user_id, b.end_user_id) as end_user_id,
    %(day)s::date as day,
    coalesce(b.to_stage, '') as from_stage,
    coalesce(n.stage, '') as to_stage,
    coalesce(b.to_stage = 'churned' and n.stage is not null, false) as returned,
    coalesce(n.why, '{}') as why
from fresh_stages n
full join before b on b.end_user_id = n.end_user_id
where coalesce(b.to_stage, '') <> coalesce(n.stage, '')
