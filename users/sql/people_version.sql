-- How often ids of the workspace were merged or parted, or people deleted. Parameter: workspace.
-- Index: the key. Not the ORM: one number, asked for by every transaction of ingest.
select coalesce((select version from people_version where workspace_id = %(workspace)s), 0) as version
