-- Recommendations per inviter, as the numbers will be: invitees who became lasting ones among the last
-- `recommendation_days`, counted for whoever goes by the inviter's id by now. Only those of whom the count is another than
-- before. Parameters: workspace, day, recommendation_days. Indexes: facts_state_recommended, facts_recommended.
-- Not the ORM: joins people to people, published rows to rows that are to be.
with success as materialized (
    select end_user_id, inviter_id
    from facts_state_next
    where workspace_id = %(workspace)s and recommended_on > %(day)s::date - %(recommendation_days)s
    union all
    select s.end_user_id, s.inviter_id
    from facts_state s
    where s.workspace_id = %(workspace)s and s.recommended_on is not null
        and s.recommended_on > %(day)s::date - %(recommendation_days)s
        and not exists (
            select from facts_state_next n where n.end_user_id = s.end_user_id and n.workspace_id = %(workspace)s
        )
        and not exists (
            select from facts_next g where g.end_user_id = s.end_user_id and g.workspace_id = %(workspace)s and g.gone
        )
),
counted as (
    select coalesce(u.merged_into, u.id) as end_user_id, count(*)::integer as recommendations
    from success s
    cross join lateral (
        select id, merged_into from end_user
        where id = s.inviter_id and workspace_id = (select %(workspace)s::uuid) and identified
        offset 0
    ) u
    where coalesce(u.merged_into, u.id) <> s.end_user_id
    group by 1
),
published as (
    select end_user_id, recommendations from facts where workspace_id = %(workspace)s and recommendations > 0
    union
    select f.end_user_id, f.recommendations
    from counted c
    cross join lateral (
        select end_user_id, recommendations from facts
        where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid)
        offset 0
    ) f
),
stored as (
    select end_user_id, recommendations from facts_next where workspace_id = %(workspace)s and not gone
    union all
    select p.end_user_id, p.recommendations
    from published p
    where not exists (select from facts_next n where n.end_user_id = p.end_user_id and n.workspace_id = %(workspace)s)
)
select end_user_id, coalesce(c.recommendations, 0) as recommendations
from stored o
left join counted c using (end_user_id)
where o.recommendations <> coalesce(c.recommendations, 0)
