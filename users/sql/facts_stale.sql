-- People whose visits are no longer those that their stored facts were made from: somebody just folded, somebody new, or
-- somebody with a visit on a day that the night has moved past. Rhythm and favourites of all others stay as they are.
-- Parameters: workspace. Reads the temporary tables fact_days and taken. Index: facts_workspace.
-- Not the ORM: everybody's fresh days against the stored ones. Without a fold, visits can only come by the day moving on,
-- and then active days grow; so the comparison is exact.
select end_user_id from taken
union
select d.end_user_id
from fact_days d
left join facts f on f.end_user_id = d.end_user_id and f.workspace_id = %(workspace)s
where f.active_days is distinct from d.active_days
