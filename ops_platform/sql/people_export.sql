-- One page of the people list as a file has it, in the order of ids, so that the next page begins where this one ended.
-- Parameters: workspace, those of the conditions, after when paging. The placeholders in braces are SQL of our own from
-- ops_platform/people_list.py. Index: the key of end_user. Not the ORM: the tables about people have no reverse relations.
with page as (
    select u.id
    from end_user u {joins}
    where u.workspace_id = %(workspace)s and {where}
    order by u.id
    limit {limit}
)
select
    u.id, u.external_id, u.name, u.email, u.phone, u.city, u.source, u.tags, u.created_at, s.stage, s.stage_since, s.activity,
    r.rfm_group, f.orders, f.revenue_minor, f.first_order_on, f.last_order_on, f.first_seen_on, f.last_seen_on
from page
join end_user u on u.id = page.id and u.workspace_id = %(workspace)s
left join facts f on f.end_user_id = page.id and f.workspace_id = %(workspace)s
left join standing s on s.end_user_id = page.id and s.workspace_id = %(workspace)s
left join rfm_score r on r.end_user_id = page.id and r.workspace_id = %(workspace)s
order by page.id
