-- One page of the people list, with everything its table shows.
-- Parameters: workspace, those of the conditions, cursor and cursor_id when paging. The placeholders in braces are SQL of
-- our own from ops_platform/people_list.py. Index: end_user_external, and the keys of the joined tables.
-- Not the ORM: the tables about people have no reverse relations, and only the page's rows are joined in full.
with page as (
    select u.id, {sort} as sort_key
    from end_user u {joins}
    where u.workspace_id = %(workspace)s and {where}
    order by {sort} {way}, u.id {way}
    limit {limit}
)
select
    u.id, u.external_id, u.name, u.city, u.source, u.tags, u.excluded, u.excluded_reason, u.created_at, page.sort_key::text as sort_key,
    s.stage, s.stage_since, s.returned, s.activity, s.value_at_risk_minor, r.rfm_group, r.rfm_bits, v.expected_revenue_minor,
    f.last_seen_on, f.orders, f.revenue_minor, f.last_order_on, f.first_seen_on
from page
join end_user u on u.id = page.id and u.workspace_id = %(workspace)s
left join facts f on f.end_user_id = page.id and f.workspace_id = %(workspace)s
left join standing s on s.end_user_id = page.id and s.workspace_id = %(workspace)s
left join rfm_score r on r.end_user_id = page.id and r.workspace_id = %(workspace)s
left join person_value v on v.end_user_id = page.id and v.workspace_id = %(workspace)s
order by page.sort_key {outward}, page.id {outward}
