-- People and their spend in the window per cell of the RFM board ("53": R 5, F 3) and per value class, on the day scored.
-- Parameters: workspace, day. Index: rfm_score_workspace, the key of facts. Not the ORM: both boards from one reading.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    case when grouping(r.rfm_bits) = 0 then 'bits' else 'cells' end as board,
    coalesce(r.rfm_bits, r.r_score::text || r.f_score::text) as key,
    count(*)::integer as people,
    bounded(coalesce(sum(f.window_revenue_minor), 0)) as money_minor
from rfm_score r
left join facts f on f.end_user_id = r.end_user_id and f.workspace_id = %(workspace)s
where r.workspace_id = %(workspace)s
group by grouping sets ((r.rfm_bits), (r.r_score, r.f_score))
