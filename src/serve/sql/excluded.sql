-- What Gold leaves out, by reason.
select reason, sum(sessions) as sessions, sum(events) as events
from gold.excluded
group by reason
order by sessions desc, reason
