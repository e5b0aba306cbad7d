-- What the next night goes on from, of the people in the numbers: whoever did nothing since stays as they were.
-- Parameters: workspace. Reads the temporary tables of the other fact files; `fact_inviter` has the id that goes with an
-- external id. Not the ORM: the join of what those files computed. Lasting: the second core day within 30 days of joining.
select
    %(workspace)s::uuid as workspace_id,
    j.end_user_id,
    k.created_on, k.registered_on as told_on, k.inviter as told_inviter,
    coalesce(g.recent_days, b.recent_days, '{}') as recent_days,
    coalesce(f.hours, b.hours, '{}') as hours,
    coalesce(f.weekdays, b.weekdays, '{}') as weekdays,
    coalesce(f.categories, b.categories, '{}') as categories,
    coalesce(f.category_tallies, b.category_tallies, '{}') as category_tallies,
    coalesce(b.inviter_id, i.id) as inviter_id,
    coalesce(b.recommended_on, case when s.second_core_on - j.joined_on <= 30 then s.second_core_on end) as recommended_on
from fact_joined j
join known k using (end_user_id)
left join fact_before b using (end_user_id)
left join fact_days d using (end_user_id)
left join fact_starts s using (end_user_id)
left join fact_rhythm g using (end_user_id)
left join fact_favourites f using (end_user_id)
left join fact_inviter i on i.name = j.inviter
where j.counted and (b.end_user_id is null or d.first_day is not null)
