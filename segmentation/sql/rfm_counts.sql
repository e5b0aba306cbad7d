-- People and their spend in the window on a day: per RFM group, per cell of the board ("53": R 5, F 3) and per value class.
-- Parameters: workspace, day, groups. Reads the temporary table fresh_scores. Index: none, all of it is read.
-- Not the ORM: three boards from one reading; also tells the empty groups.
with alike as (
    select rfm_group, rfm_bits, r_score, f_score, count(*) as people, sum(money_minor) as money
    from fresh_scores
    group by rfm_group, rfm_bits, r_score, f_score
),
counted as (
    select
        case when grouping(rfm_group) = 0 then 'rfm' when grouping(rfm_bits) = 0 then 'bits' else 'cells' end as board,
        coalesce(rfm_group, rfm_bits, r_score::text || f_score::text) as key,
        sum(people) as people, sum(money) as money
    from alike
    group by grouping sets ((rfm_group), (rfm_bits), (r_score, f_score))
)
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    board,
    key,
    coalesce(c.people, 0)::integer as people,
    bounded(coalesce(c.money, 0)) as money_minor
from counted c
full join (select 'rfm' as board, unnest(%(groups)s::text[]) as key) g using (board, key)
