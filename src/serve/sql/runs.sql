-- The latest run of each step.
select step, status as outcome, started_at, seconds, rows_read, rows_written, case when status = 'failed' then reason end as error
from system.runs
qualify row_number() over (partition by step order by started_at desc) = 1
order by step
