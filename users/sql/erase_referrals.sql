-- Erases who brought others, where that is somebody who is erased: from profiles, from the events that told it, and from the
-- days made of them. Days forget their digest, since their events are no longer the same.
-- Parameters: workspace, names (external ids). Answers with how many rows. Indexes: end_user_referred, person_day_referred,
-- profile_change_referred; events by the key, of people with such days and of those the next night looks at.
-- Not the ORM: keys are taken out of JSON.
with told as (
    update end_user u
    set referred_by = '',
        attributes = u.attributes - array['referred_by', 'referredBy'],
        bases = u.bases - array['referred_by', 'referredBy'],
        own = case
            when jsonb_typeof(u.own -> 'attributes') = 'object'
            then jsonb_set(u.own, '{attributes}', (u.own -> 'attributes') - array['referred_by', 'referredBy'])
            else u.own
        end
    where u.workspace_id = %(workspace)s and u.referred_by <> '' and u.referred_by = any(%(names)s::text[])
    returning u.id
),
firsts as (
    delete from profile_change c
    where c.workspace_id = %(workspace)s and c.attribute in ('referred_by', 'referredBy') and c.value #>> '{}' = any(%(names)s::text[])
    returning c.end_user_id
),
days as (
    update person_day d
    set referred_by = '', digest = null
    where d.workspace_id = %(workspace)s and d.referred_by <> '' and d.referred_by = any(%(names)s::text[])
    returning d.end_user_id
),
waiting as (
    select distinct unnest(people) as end_user_id from touched where workspace_id = %(workspace)s
),
accepted as (
    update event e
    set properties = e.properties - 'referred_by'
    from (select end_user_id from days union select end_user_id from waiting) p
    where e.workspace_id = %(workspace)s and e.end_user_id = p.end_user_id
      and e.properties ->> 'referred_by' = any(%(names)s::text[])
    returning e.end_user_id
)
select
    (select count(*) from told) + (select count(*) from firsts) + (select count(*) from days)
    + (select count(*) from accepted) as rows
