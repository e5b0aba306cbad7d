-- Recommendations per inviter: invitees whose second core day came within 30 days of joining, dated by that day and
-- counted while it is among the last `recommendation_days`.
-- Parameters: workspace, day, recommendation_days. Reads the temporary tables known and fact_starts.
-- Not the ORM: joins people to people by the id their inviter goes by.
select %(workspace)s::uuid as workspace_id, inviter.end_user_id, count(*)::integer as recommendations
from fact_starts invitee
join known inviter on inviter.external_id = invitee.inviter and inviter.end_user_id <> invitee.end_user_id
where invitee.second_core_on between %(day)s::date - %(recommendation_days)s + 1 and %(day)s::date
    and invitee.second_core_on - invitee.joined_on <= 30
group by inviter.end_user_id
