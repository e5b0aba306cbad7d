-- Keeps who used devices last. Parameters: workspace, devices (a JSON array of {app, token, person, at, platform}, each
-- device once). Index: the key of push_device. Not the ORM: one statement for all, and an older word changes nothing.
-- Of two people at one moment the larger id counts, as in users/devices.py: Seen.rank.
update push_device as d
set end_user_id = t.person, seen_at = t.at, platform = case when t.platform = '' then d.platform else t.platform end
from jsonb_to_recordset(%(devices)s::jsonb) as t (app text, token text, person uuid, at timestamptz, platform text)
where d.workspace_id = %(workspace)s and d.token = t.token and d.app = t.app
  and (d.seen_at, d.end_user_id) < (t.at, t.person)
