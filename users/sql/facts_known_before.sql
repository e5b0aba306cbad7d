-- As facts_people, of people who are who they were when their facts were told: nothing but that of whoever did not come since.
-- Parameters: workspace. Reads fact_before. Not the ORM: a temporary table.
select end_user_id, created_on, told_inviter as inviter, told_on as registered_on
from fact_before where workspace_id = %(workspace)s
