-- Keeps what messages did to attributes, each change once; a repeat that tells an earlier moment moves it there. Answers with
-- the ids for which there was something new. Parameters: workspace, changes (a JSON array, one object per row with every
-- column below). Index: the key of profile_change. Not the ORM: it cannot tell new rows from repeats.
insert into profile_change as known (workspace_id, end_user_id, change_id, attribute, kind, at, value)
select %(workspace)s::uuid, c.end_user_id, c.change_id, c.attribute, c.kind, c.at, c.value
from jsonb_to_recordset(%(changes)s::jsonb) as c (
    end_user_id uuid, change_id uuid, attribute text, kind text, at timestamptz, value jsonb
)
order by c.end_user_id, c.change_id
on conflict (end_user_id, workspace_id, change_id) do update set at = excluded.at where known.at > excluded.at
returning end_user_id
