-- Slipping people and their value at risk, by RFM group; people outside the RFM population under the empty group.
-- Parameters: workspace. Index: standing_stage, the key of rfm_score. Not the ORM: no relation between the two tables.
select
    coalesce(r.rfm_group, '') as rfm_group,
    count(*)::integer as people,
    bounded(coalesce(sum(s.value_at_risk_minor), 0)) as money_minor,
    count(*) filter (where r.rfm_bits in ('111', '011'))::integer as valuable,
    bounded(coalesce(sum(s.value_at_risk_minor) filter (where r.rfm_bits in ('111', '011')), 0)) as valuable_minor
from standing s
left join rfm_score r on r.end_user_id = s.end_user_id and r.workspace_id = %(workspace)s
where s.workspace_id = %(workspace)s and s.activity = 'slipping'
group by 1
order by money_minor desc
