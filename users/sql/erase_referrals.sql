-- Erases who brought others, where that is somebody who is erased: from profiles, and from the days made of events. Days forget
-- their digest, since their events are going to change as well. Parameters: workspace, names (external ids). Answers with
-- how many rows, and whose events may tell it: of people with such days, and of those the next night looks at.
-- Indexes: end_user_referred, person_day_referred, profile_change_referred. Not the ORM: keys are taken out of JSON.
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
    returning d.end_user_id, d.day
),
due as (
    insert into facts_due (workspace_id, end_user_id, due_on)
    select %(workspace)s, end_user_id, min(day) from days group by end_user_id
    on conflict do nothing
)
select
    (select count(*) from told) + (select count(*) from firsts) + (select count(*) from days) as rows,
    array(
        select end_user_id from days
        union
        select unnest(people) from touched where workspace_id = %(workspace)s
    ) as people
