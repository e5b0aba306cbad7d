-- When each person joined, as of a day, who brought them, and whether they are in the numbers: those are who is known and was
-- created by then, or had any event by then.
-- Parameters: workspace, day. Reads the temporary tables known, fact_days and fact_before. Not the ORM: it reads what was
-- just computed. Joined: the day of registration, else of the first visit. An attribute names the inviter, else an accepted
-- referral.
select
    k.end_user_id,
    r.registered_on,
    coalesce(r.registered_on, b.first_seen_on, d.first_seen_on) as joined_on,
    coalesce(k.inviter, d.referred_by) as inviter,
    coalesce(k.created_on <= %(day)s or d.first_day <= %(day)s or b.end_user_id is not null, false) as counted,
    %(workspace)s::uuid as workspace_id
from known k
left join fact_days d using (end_user_id)
left join fact_before b using (end_user_id)
cross join lateral (
    select coalesce(
        b.registered_on, d.registered_on, case when k.registered_on <= %(day)s then k.registered_on end
    ) as registered_on
) r
