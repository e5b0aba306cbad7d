-- Adds the attributes that the catalogue does not know yet, uncounted.
-- Parameters: workspace. Reads the temporary table `attributes_fresh`. Index: attribute_once.
-- Not the ORM: INSERT … SELECT.
insert into attribute (workspace_id, name, kind, first_at, last_at, personal)
select %(workspace)s::uuid, name, kind, first_at, last_at, personal from attributes_fresh
on conflict (workspace_id, name) do nothing
