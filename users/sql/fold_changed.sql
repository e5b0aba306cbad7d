-- The days whose events are not those that the stored person-day was folded from: new days, changed ones, and ones that are
-- gone (digest null). Of days before `sealed` events may have been deleted: there only days are folded that never were.
-- Parameters: workspace, sealed. Reads the temporary tables fold_events and fold_seen. Not the ORM: compares two sets.
-- The digest of a day is over its events, each as `mix` has it, and their number. Events are never rewritten, so equal
-- digests mean equal days; whoever rewrites them sets the digests to null.
with found as (
    select
        end_user_id, day, %(workspace)s::uuid as workspace_id, bit_xor(mix) # count(*) as digest,
        min(client_at) as first_key, max(client_at) as last_key
    from fold_events
    group by end_user_id, day
),
stored as (
    select end_user_id, day, digest, true as folded from fold_seen where folded
)
select end_user_id, day, f.digest, f.first_key, f.last_key
from found f
full join stored s using (end_user_id, day)
where (f.digest is distinct from s.digest or f.digest is null)
    and (s.folded is null or day >= coalesce(%(sealed)s::date, '-infinity'))
