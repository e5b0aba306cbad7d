-- People and their spend in the window on a day: per RFM group, per cell of the board ("53": R 5, F 3) and per value class.
-- Parameters: workspace, day, groups. Reads the temporary tables fresh_rfm and fresh_population.
-- Not the ORM: three boards from one reading; also tells the empty groups.
with counted as (
    select
        case when grouping(n.rfm_group) = 0 then 'rfm' when grouping(n.rfm_bits) = 0 then 'bits' else 'cells' end as board,
        coalesce(n.rfm_group, n.rfm_bits, n.r_score::text || n.f_score::text) as key,
        count(*) as people, sum(p.money_minor) as money
    from fresh_rfm n
    join fresh_population p using (end_user_id)
    group by grouping sets ((n.rfm_group), (n.rfm_bits), (n.r_score, n.f_score))
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
