-- The rows of rfm_score that are others than those stored. Parameters: workspace. Reads the temporary table fresh_rfm.
-- Not the ORM: kept as a temporary table.
select
    %(workspace)s::uuid as workspace_id, end_user_id, r_value, f_value, m_value, r_score, f_score, m_score, rfm_group, rfm_bits
from fresh_rfm
where not gone
