-- Writes profiles that were merged in Python. Parameters: workspace, people (a JSON array, one object per person with
-- every column below), ids (array text of the same people).
-- Index: the key of end_user, which a planner that knows nothing of a young table takes only because of ids.
-- Not the ORM: bulk_update writes one CASE branch per person and column.
update end_user as u
set name = p.name, email = p.email, phone = p.phone, city = p.city, source = p.source,
    referred_by = p.referred_by, locale = p.locale, zone = p.zone,
    attributes = p.attributes, attribute_times = p.attribute_times, attributes_at = p.attributes_at,
    bases = p.bases, forgotten_at = p.forgotten_at,
    own = p.own
from jsonb_to_recordset(%(people)s::jsonb) as p (
    id uuid, name text, email text, phone text, city text, source text, referred_by text, locale text,
    zone text, attributes jsonb, attribute_times jsonb, attributes_at timestamptz, bases jsonb,
    forgotten_at timestamptz, own jsonb
)
where u.id = p.id and u.id = any (%(ids)s::uuid[]) and u.workspace_id = %(workspace)s
