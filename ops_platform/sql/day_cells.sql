-- People and their spend in the window per cell of the RFM board ("53": R 5, F 3) and per value class, on the day scored.
-- Parameters: workspace, day. Index: rfm_score_workspace. Not the ORM: both boards from one reading of the scores.
select
    %(workspace)s::uuid as workspace_id,
    %(day)s::date as day,
    case when grouping(rfm_bits) = 0 then 'bits' else 'cells' end as board,
    coalesce(rfm_bits, r_score::text || f_score::text) as key,
    count(*)::integer as people,
    sum(m_minor)::bigint as money_minor
from rfm_score
where workspace_id = %(workspace)s
group by grouping sets ((rfm_bits), (r_score, f_score))
