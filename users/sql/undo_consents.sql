-- Gives people who have one id each their word of before, or none, where that of an import is still the last. Parameters:
-- workspace, source; words (JSON: id, channel, at of the import's word; opted_in, source and before of the word before).
-- Index: the key of consent. Not the ORM: one statement for tens of thousands of words.
with told as (
    select *
    from jsonb_to_recordset(%(words)s::jsonb)
        as w (id uuid, channel text, at timestamptz, opted_in boolean, source text, before timestamptz)
),
gone as (
    delete from consent c
    using told w
    where c.workspace_id = %(workspace)s and c.end_user_id = w.id and c.channel = w.channel and c.at = w.at
        and c.source = %(source)s and w.opted_in is null
)
update consent c
set opted_in = w.opted_in, source = w.source, at = w.before
from told w
where c.workspace_id = %(workspace)s and c.end_user_id = w.id and c.channel = w.channel and c.at = w.at
    and c.source = %(source)s and w.opted_in is not null
