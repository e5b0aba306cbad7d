-- How often ids of the workspace were merged or parted, or people deleted; and whether any wait to be merged.
-- Parameter: workspace.
-- Whoever asks is going to write for people it knows: until it has committed, an undo removes nobody (keep_writers_out and
-- keep_people_in in users/import_newcomers.py). A statement of its own, for the number has to be read after the wait.
-- Indexes: the key, identity_link_pending. Not the ORM: one row, asked for by every transaction that writes for people.
select pg_advisory_xact_lock_shared(hashtextextended('people:' || %(workspace)s, 0));
select
    coalesce((select version from people_version where workspace_id = %(workspace)s), 0) as version,
    exists (select from identity_link where workspace_id = %(workspace)s and pending) as joining
