-- The RFM groups (or the eight classes): people, money, and how many can be reached on each channel.
-- Parameters: workspace. {key} is rfm_group or rfm_bits, from our own source. Index: rfm_score_workspace.
-- Not the ORM: no relation between scores, people and consents. Reachable: has an address and has not opted out.
select
    r.{key} as key,
    count(*)::integer as people,
    coalesce(sum(r.m_minor), 0)::bigint as money_minor,
    coalesce(sum(r.f_orders), 0)::bigint as orders,
    coalesce(sum(s.value_at_risk_minor), 0)::bigint as risk_minor,
    count(*) filter (where u.email <> '' and not coalesce(c.email, false))::integer as email,
    count(*) filter (where u.phone <> '' and not coalesce(c.sms, false))::integer as sms,
    count(*) filter (where u.push_token <> '' and not coalesce(c.push, false))::integer as push
from rfm_score r
join end_user u on u.id = r.end_user_id and u.workspace_id = %(workspace)s
left join standing s on s.end_user_id = r.end_user_id and s.workspace_id = %(workspace)s
left join (
    select
        end_user_id,
        bool_or(channel = 'email') as email, bool_or(channel = 'sms') as sms, bool_or(channel = 'push') as push
    from consent where workspace_id = %(workspace)s and not opted_in group by end_user_id
) c on c.end_user_id = r.end_user_id
where r.workspace_id = %(workspace)s
group by r.{key}
