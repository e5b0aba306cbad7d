-- Of the people who match a segment's rule now (the temporary table segment_match), how many one channel reaches
-- (reason '') and how many it does not, by reason. The reasons and their order are those of freeze_audience.sql.
-- Parameters: workspace, channel, topic, address (column of end_user), consent_required, and those of
-- campaigns.suppressions.hashing. Index: primary keys, by person.
-- Not the ORM: it reads a temporary table.
select a.reason, count(*) as people
from (
    select
        case
            when address.value = '' then 'no_address'
            when c.opted_in is false then 'opted_out'
            when t.opted_in is false then 'topic_opted_out'
            when c.opted_in is null and %(consent_required)s then 'no_consent'
            when s.address is not null or h.address is not null then 'suppressed'
            else ''
        end as reason
    from segment_match m
    join end_user p on p.id = m.end_user_id and p.workspace_id = %(workspace)s and p.identified and not p.excluded and p.merged_into is null
    cross join lateral (
        select case %(address)s when 'email' then p.email when 'phone' then p.phone else p.push_token end as value
    ) address
    left join consent c
        on c.end_user_id = p.id and c.workspace_id = %(workspace)s and c.channel = %(channel)s
    left join consent t
        on t.end_user_id = p.id and t.workspace_id = %(workspace)s and t.channel = %(channel)s || '/' || %(topic)s
    left join suppression s
        on s.workspace_id = %(workspace)s and s.channel = %(channel)s and s.address = lower(address.value)
    left join suppression h
        on h.workspace_id = %(workspace)s and h.channel = %(channel)s and h.address = case when %(hashed)s then
            'erased:' || encode(sha256(%(outer)s || sha256(%(inner)s || convert_to(lower(address.value), 'UTF8'))), 'hex') end
) a
group by a.reason
