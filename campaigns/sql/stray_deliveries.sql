-- Merged ids with deliveries of their own that are final by now, where the person has none in the same run.
-- Parameters: workspace, final (states). Indexes: end_user_merged, the key of delivery. Visitors are never written to.
-- Not the ORM: deliveries have no way back to the person.
select distinct d.end_user_id
from end_user u
join delivery d on d.end_user_id = u.id and d.workspace_id = %(workspace)s
where u.workspace_id = %(workspace)s and u.merged_into is not null and u.identified and d.state = any(%(final)s)
  and not exists (
      select from delivery o
      where o.end_user_id = u.merged_into and o.workspace_id = %(workspace)s and o.run_id = d.run_id
  )
