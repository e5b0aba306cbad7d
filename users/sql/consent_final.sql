-- What those words come to, channel by channel: an opt-out beats every opt-in, unless the person opted in later, for all
-- their ids. Parameters: workspace. Reads the temporary table `consent_words`.
-- Not the ORM: a comparison of each word with the others.
select distinct on (w.owner_id, w.channel)
    %(workspace)s::uuid as workspace_id, w.owner_id, w.channel, w.opted_in, w.source, w.at
from consent_words w
left join (
    select owner_id, channel, max(at) as at from consent_words where opted_in and as_one group by owner_id, channel
) l on l.owner_id = w.owner_id and l.channel = w.channel
where w.opted_in or l.at is null or l.at <= w.at
order by w.owner_id, w.channel, w.opted_in, w.at desc, w.source
