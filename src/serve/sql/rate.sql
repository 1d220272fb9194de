-- Records per second of the latest run that read any.
select rows_read / seconds as records_per_s
from system.runs
where step = 'bronze.clicks' and rows_read > 0 and seconds > 0
order by started_at desc
limit 1
