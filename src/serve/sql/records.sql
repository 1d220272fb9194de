-- What became of the records of the latest run that counted them.
select started_at, records, accepted, repeated, quarantined, conflicting
from system.runs
where records is not null
order by started_at desc
limit 1
