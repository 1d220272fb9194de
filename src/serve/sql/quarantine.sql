select reason, count(*) as records, max(received_at) as newest_at
from silver.quarantine
group by reason
order by records desc, reason
limit 20
