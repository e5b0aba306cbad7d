-- Of whom scores, group or value class are others than those stored: `gone` where the row is to go, `regrouped` where the group
-- is another. Parameters: workspace. Reads the temporary table fresh_scores. Index: rfm_score_workspace.
-- Not the ORM: everybody's rows against each other.
select
    coalesce(n.end_user_id, o.end_user_id) as end_user_id, n.end_user_id is null as gone,
    n.rfm_group is distinct from o.rfm_group as regrouped,
    n.r_value, n.f_value, n.m_value, n.r_score, n.f_score, n.m_score, n.rfm_group, n.rfm_bits
from fresh_scores n
full join (select * from rfm_score where workspace_id = %(workspace)s) o on o.end_user_id = n.end_user_id
where (n.r_value, n.f_value, n.m_value, n.r_score, n.f_score, n.m_score, n.rfm_group, n.rfm_bits)
    is distinct from (o.r_value, o.f_value, o.m_value, o.r_score, o.f_score, o.m_score, o.rfm_group, o.rfm_bits)
