-- Recommendations per inviter: invitees whose second core day came within 30 days of joining, dated by that day and
-- counted while it is among the last `recommendation_days`.
-- Parameters: workspace, day, recommendation_days. Reads the temporary tables known, fact_joined and fact_starts.
-- Not the ORM: joins people to people by the id their inviter goes by, or went by before it was merged into another.
select %(workspace)s::uuid as workspace_id, inviter.end_user_id, count(*)::integer as recommendations
from fact_starts s
join fact_joined invitee on invitee.end_user_id = s.end_user_id
join end_user u on u.external_id = invitee.inviter and u.workspace_id = %(workspace)s and u.identified
join known inviter on inviter.end_user_id = coalesce(u.merged_into, u.id) and inviter.end_user_id <> invitee.end_user_id
where s.second_core_on > %(day)s::date - %(recommendation_days)s and s.second_core_on - invitee.joined_on <= 30
group by inviter.end_user_id
