-- Whoever brings a word of their own into a person's circle is not bound by what that person said before about the same
-- channel or topic: what was said for all ids counts for its own id only from now on, so that the strictest word wins again.
-- Parameters: workspace. Reads the temporary table `circle`. Index: the key of consent_word. Not the ORM: a join of three.
update consent_word w
set as_one = false
from circle i
where w.workspace_id = %(workspace)s and w.end_user_id = i.id and w.as_one
  and exists (
      select from circle n
      join consent_word b on b.end_user_id = n.id and b.workspace_id = %(workspace)s and b.channel = w.channel
      where n.owner_id = i.owner_id and n.joining
  )
