-- Everybody's stage, activity flag, RFM group and value class as they stand in this transaction.
-- Parameters: workspace. Index: none, everybody is read. Not the ORM: kept as a temporary table, to be compared with another.
select
    coalesce(s.end_user_id, r.end_user_id) as end_user_id,
    coalesce(s.stage, '') as stage,
    coalesce(s.activity, '') as activity,
    coalesce(r.rfm_group, '') as rfm,
    coalesce(r.rfm_bits, '') as bits
from (select end_user_id, stage, activity from standing where workspace_id = %(workspace)s) s
full join (select end_user_id, rfm_group, rfm_bits from rfm_score where workspace_id = %(workspace)s) r using (end_user_id)
