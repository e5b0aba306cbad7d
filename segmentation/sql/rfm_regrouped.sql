-- Whose RFM group may differ from the last change told: it differs from the score's, a change was told on the day already, or
-- they left the numbers. Parameters: workspace, day; the hole `code` takes who left. Reads the temporary table fresh_rfm.
-- Index: rfm_score_workspace, rfm_change_day. Not the ORM: everybody's score against everybody's.
select coalesce(n.end_user_id, o.end_user_id) as end_user_id
from fresh_rfm n
full join (select end_user_id, rfm_group from rfm_score where workspace_id = %(workspace)s) o on o.end_user_id = n.end_user_id
where n.rfm_group is distinct from o.rfm_group
union
select end_user_id from rfm_change where workspace_id = %(workspace)s and day = %(day)s
union
{code}
