-- The catalogue as it should be. The type stays what it is known as; of a new name it is that of the earliest value,
-- and text where some of its texts look like times and others do not. Every time is a text, too: no conflict there.
-- Names beyond the limit are left out, those that fewest people have; of known ones only such as one person had when they
-- were counted last, and no operator named, hid or called (not) personal, and only where everybody is `counted`.
-- Parameters: workspace, personal (pattern of names), most, counted. Reads the temporary table `attributes_found`.
-- Not the ORM: it joins a temporary table.
with found as (
    select
        name, kind, people,
        coalesce(to_timestamp(first_rank / 1000000.0), first_created) as first_at,
        coalesce(to_timestamp(last_rank / 1000000.0), last_created) as last_at
    from attributes_found
    where kind is not null and length(name) <= 255
),
names as (
    select
        coalesce(a.name, f.name) as name, a.kind as known, a.personal, a.first_at as known_at,
        (array_agg(f.kind order by f.first_at, f.people desc, f.kind))[1] as earliest,
        bool_or(f.kind = 'text') as texts,
        min(f.first_at) as first_at, max(f.last_at) as last_at, coalesce(sum(f.people), 0)::integer as people, a.last_at as seen_at,
        coalesce(a.people <= 1 and a.label = '' and not a.hidden and a.personal = (lower(a.name) ~ %(personal)s), false)
            and %(counted)s as rare
    from found f
    full join (select * from attribute where workspace_id = %(workspace)s) a on a.name = f.name
    group by 1, a.kind, a.personal, a.first_at, a.last_at, rare
),
typed as (
    select
        name, coalesce(known, case when earliest = 'time' and texts then 'text' else earliest end) as kind,
        least(first_at, known_at) as first_at, coalesce(greatest(last_at, seen_at), seen_at) as last_at, people,
        coalesce(personal, lower(name) ~ %(personal)s) as personal,
        row_number() over (order by known is null or rare, people desc, known is null, name) as place
    from names
),
others as (
    select
        t.name, sum(f.people)::integer as conflicts,
        (array_agg(f.kind order by f.people desc, f.kind))[1] as other_kind
    from typed t
    join found f on f.name = t.name and f.kind <> t.kind and not (f.kind = 'time' and t.kind = 'text')
    where f.people > 0
    group by t.name
)
select
    %(workspace)s::uuid as workspace_id, t.name, t.kind::varchar(7) as kind, t.first_at, t.last_at, t.people,
    coalesce(o.conflicts, 0) as conflicts, coalesce(o.other_kind, '')::varchar(7) as other_kind,
    -- One of their values stays for as long as most of them are of its type; another is looked for where there is none.
    case when t.personal or o.name is null or o.other_kind <> a.other_kind then '' else coalesce(a.other_value, '') end::varchar(60)
        as other_value,
    t.personal
from typed t
left join others o on o.name = t.name
left join attribute a on a.workspace_id = %(workspace)s and a.name = t.name
where t.place <= %(most)s
