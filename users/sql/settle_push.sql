-- Where people get pushes: the newest living device of all their ids, else nowhere. A device that was told as a trait counts
-- while the trait names it. What was told before somebody was forgotten is not looked at.
-- Parameters: workspace, traits (names), blanks (around a token), people (array text of ids; those whom they are merged into
-- are settled with them).
-- Indexes: the key of end_user, end_user_merged, push_device_person, the key of push_device.
-- Not the ORM: it compares whole sets, and whoever is right already is not written.
with chosen as materialized (
    select u.id from end_user u where u.workspace_id = %(workspace)s and u.id = any (%(people)s::uuid[])
    union
    select u.merged_into from end_user u
    where u.workspace_id = %(workspace)s and u.id = any (%(people)s::uuid[]) and u.merged_into is not null
),
found as (
    select p.id, coalesce(device.token, '') as token
    from chosen c
    join end_user p on p.id = c.id and p.workspace_id = %(workspace)s
    left join lateral (
        select d.token
        from (
            select p.id union all
            select m.id from end_user m where m.workspace_id = %(workspace)s and m.merged_into = p.id
        ) as own (id)
        join push_device d on d.workspace_id = %(workspace)s and d.end_user_id = own.id
        where d.seen_at >= coalesce(p.forgotten_at, '-infinity')
          and (d.app <> all (%(traits)s) or btrim(p.attributes ->> d.app, %(blanks)s) = d.token)
          and not exists (
              select from push_device o
              where o.workspace_id = %(workspace)s and o.token = d.token
                and (o.dead_at is not null or (o.seen_at, o.end_user_id) > (d.seen_at, d.end_user_id))
          )
        order by d.seen_at desc, d.token
        limit 1
    ) device on true
)
update end_user u
set push_token = f.token
from found f
where u.id = f.id and u.workspace_id = %(workspace)s and u.push_token <> f.token
