-- Who is in the numbers: identified, not excluded, not merged into somebody; with the day they were created, who brought them, and the
-- registration day their attributes tell: an ISO date, or an ISO time, which without an offset is workspace time.
-- Parameters: workspace, zone; the hole `code` takes where `u`, the people in question, come from. Index: the key of end_user.
-- Not the ORM: one filtered pass that the other fact files join. The pattern lets nothing through that a cast would
-- refuse (30 February), since PostgreSQL 15 has no safe cast.
with iso (pattern) as (values (
    '^(?!0000)([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))'
    '|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)'
    '([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)?)?$'
))
select
    u.id as end_user_id,
    u.external_id,
    (u.created_at at time zone %(zone)s)::date as created_on,
    coalesce(
        nullif(u.referred_by, ''),
        case when jsonb_typeof(u.attributes -> 'referred_by') in ('string', 'number') then nullif(u.attributes ->> 'referred_by', '') end
    ) as inviter,
    case
        when r.told ~ '[T ].*(Z|[+-][0-9:]+)$' then (r.told::timestamptz at time zone %(zone)s)::date
        else left(r.told, 10)::date
    end as registered_on
from {code} u
cross join iso
left join lateral (
    select v.told #>> '{}' as told
    from (values (1, u.attributes -> 'registered_at'), (2, u.attributes -> 'created')) as v (place, told)
    where jsonb_typeof(v.told) = 'string' and v.told #>> '{}' ~ iso.pattern
    order by v.place limit 1
) r on true
where u.workspace_id = %(workspace)s and u.identified and not u.excluded and u.merged_into is null
