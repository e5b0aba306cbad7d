-- Net moves between RFM groups between the ends of two days; an empty group is "not a buyer in the window".
-- Parameters: workspace, first_day (exclusive), last_day (inclusive). Index: rfm_change_day.
-- Not the ORM: first and last row per person, then counts.
select from_group, to_group, count(*)::integer as people
from (
    select
        (array_agg(from_group order by day))[1] as from_group,
        (array_agg(to_group order by day desc))[1] as to_group
    from rfm_change
    where workspace_id = %(workspace)s and day > %(first_day)s and day <= %(last_day)s
    group by end_user_id
) c
where from_group <> to_group
group by from_group, to_group
order by people desc
