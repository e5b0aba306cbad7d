-- The first two core days of each person from the day they joined on, within `reach` days.
-- Parameters: workspace, reach. Reads the temporary tables fact_joined and fact_history.
-- Not the ORM: the first rows per person after a day of their own.
select
    end_user_id, %(workspace)s::uuid as workspace_id,
    min(day) as first_core_on,
    min(day) filter (where place = 2) as second_core_on
from (
    select j.end_user_id, p.day, row_number() over (partition by j.end_user_id order by p.day) as place
    from fact_joined j
    join fact_history p using (end_user_id)
    where p.fresh and p.core > 0 and p.day between j.joined_on and j.joined_on + %(reach)s
) c
where place <= 2
group by end_user_id
