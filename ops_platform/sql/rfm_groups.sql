-- People scored alike (of one group, one class and one cell of the board): how many, their money, and how many of them can be
-- reached on each channel. Whatever the RFM page shows of today is a sum of these.
-- Parameters: workspace, consent_required, and those of campaigns.suppressions.hashing. Index: rfm_score_workspace.
-- Not the ORM: no relation between scores, people and consents. Reachable is what it is for segments and campaigns
-- (segmentation/conditions/reachable.py): an address that is not suppressed, no opt-out, and consent where demanded.
select
    r.rfm_group as rfm, r.rfm_bits as bits, r.r_score, r.f_score,
    count(*)::integer as people,
    bounded(coalesce(sum(f.window_revenue_minor), 0)) as money_minor,
    coalesce(sum(f.window_orders), 0)::bigint as orders,
    bounded(coalesce(sum(s.value_at_risk_minor), 0)) as risk_minor,
    count(*) filter (where u.email <> '' and coalesce(c.email, not %(consent_required)s) and x_email.address is null
        and h_email.address is null)::integer as email,
    count(*) filter (where u.phone <> '' and coalesce(c.sms, not %(consent_required)s) and x_sms.address is null
        and h_sms.address is null)::integer as sms,
    count(*) filter (where u.push_token <> '' and coalesce(c.push, not %(consent_required)s) and x_push.address is null
        and h_push.address is null)::integer as push
from rfm_score r
join end_user u on u.id = r.end_user_id and u.workspace_id = %(workspace)s
left join facts f on f.end_user_id = r.end_user_id and f.workspace_id = %(workspace)s
left join standing s on s.end_user_id = r.end_user_id and s.workspace_id = %(workspace)s
left join (
    select
        end_user_id,
        bool_or(opted_in) filter (where channel = 'email') as email,
        bool_or(opted_in) filter (where channel = 'sms') as sms,
        bool_or(opted_in) filter (where channel = 'push') as push
    from consent where workspace_id = %(workspace)s group by end_user_id
) c on c.end_user_id = r.end_user_id
left join suppression x_email on x_email.workspace_id = %(workspace)s and x_email.channel = 'email' and x_email.address = lower(u.email)
left join suppression h_email on %(hashed)s and h_email.workspace_id = %(workspace)s and h_email.channel = 'email' and h_email.address =
    'erased:' || encode(sha256(%(outer)s || sha256(%(inner)s || convert_to(lower(u.email), 'UTF8'))), 'hex')
left join suppression x_sms on x_sms.workspace_id = %(workspace)s and x_sms.channel = 'sms' and x_sms.address = lower(u.phone)
left join suppression h_sms on %(hashed)s and h_sms.workspace_id = %(workspace)s and h_sms.channel = 'sms' and h_sms.address =
    'erased:' || encode(sha256(%(outer)s || sha256(%(inner)s || convert_to(lower(u.phone), 'UTF8'))), 'hex')
left join suppression x_push on x_push.workspace_id = %(workspace)s and x_push.channel = 'push' and x_push.address = lower(u.push_token)
left join suppression h_push on %(hashed)s and h_push.workspace_id = %(workspace)s and h_push.channel = 'push' and h_push.address =
    'erased:' || encode(sha256(%(outer)s || sha256(%(inner)s || convert_to(lower(u.push_token), 'UTF8'))), 'hex')
where r.workspace_id = %(workspace)s
group by r.rfm_group, r.rfm_bits, r.r_score, r.f_score
