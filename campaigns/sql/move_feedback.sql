-- Moves what came back about deliveries that were just moved to the people they are with now.
-- Parameters: workspace, deliveries (their ids). Index: delivery_id_once; feedback is read by its person of before.
-- Not the ORM: DELETE … RETURNING into INSERT.
with gone as (
    delete from feedback f
    using moving m, delivery d
    where f.workspace_id = %(workspace)s and f.end_user_id = m.now_id
      and d.workspace_id = %(workspace)s and d.delivery_id = f.delivery_id and d.end_user_id = m.to_id
      and f.delivery_id = any(%(deliveries)s::uuid[])
    returning d.end_user_id, f.workspace_id, f.delivery_id, f.run_id, f.kind, f.reference, f.at
)
insert into feedback (end_user_id, workspace_id, delivery_id, run_id, kind, reference, at)
select end_user_id, workspace_id, delivery_id, run_id, kind, reference, at from gone
on conflict do nothing
