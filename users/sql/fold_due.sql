-- Makes those due of whom a day changed that the published numbers know already. Days to come need nobody's attention: the
-- night that comes to them finds them by their date.
-- Parameters: workspace, published (the published day, or null). Reads the temporary table fold_changed.
-- Not the ORM: INSERT … SELECT from a temporary table.
insert into facts_due (workspace_id, end_user_id, due_on)
select %(workspace)s, end_user_id, min(day) from fold_changed where day <= %(published)s::date group by end_user_id
on conflict do nothing
