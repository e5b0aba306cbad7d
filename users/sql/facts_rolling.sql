-- Whose numbers change because days pass: somebody has a day that no night has counted, or one that leaves a window, or
-- money that does. Those who are counted afresh are not among them. Parameters: workspace, day, days, money_days.
-- Indexes: person_day_day, purchase_day. Not the ORM: a union of two tables, less two others.
select c.end_user_id
from (
    select end_user_id from person_day where workspace_id = %(workspace)s and day = any(%(days)s::date[])
    union
    select end_user_id from purchase where workspace_id = %(workspace)s and day = any(%(money_days)s::date[])
) c
where not exists (
        select from facts_due d where d.end_user_id = c.end_user_id and d.workspace_id = %(workspace)s and d.due_on <= %(day)s
    )
    and not exists (select from facts_next n where n.end_user_id = c.end_user_id and n.workspace_id = %(workspace)s)
