-- Keeps whom a preview moves, from the temporary table `moves_found`; those of earlier previews are let go before.
-- Parameters: workspace, change. Index: the key of rules_move. Not the ORM: INSERT … SELECT.
insert into rules_move (workspace_id, change_id, end_user_id, board, from_key, to_key)
select %(workspace)s::uuid, %(change)s::uuid, end_user_id, board, from_key, to_key from moves_found
