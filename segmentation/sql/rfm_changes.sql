-- Whose RFM group differs on a day from the last change told before it; from nothing for those who join the population,
-- to nothing for those who leave it.
-- Parameters: workspace, day. Reads the temporary table regrouped. Index: the keys of rfm_change and rfm_score.
-- Not the ORM: the latest change per person against today's groups.
select *
from (
    select
        %(workspace)s::uuid as workspace_id,
        c.end_user_id,
        %(day)s::date as day,
        coalesce(b.to_group, '') as from_group,
        coalesce(n.rfm_group, '') as to_group
    from regrouped c
    left join lateral (
        select rfm_group from rfm_score
        where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid)
        offset 0
    ) n on true
    left join lateral (
        select to_group
        from (
            select to_group, day from rfm_change
            where end_user_id = c.end_user_id and workspace_id = (select %(workspace)s::uuid) and day < %(day)s
            offset 0 -- by person: the index by day would be read from its end
        ) told
        order by day desc limit 1
    ) b on true
) told
where from_group <> to_group
