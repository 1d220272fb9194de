-- silver.quarantine: one row per record that was not accepted, with the reason.
-- Key: topic, partition, offset. Why kept: a record is never dropped; after a fix it can be read again from here.
select
    topic,
    partition,
    "offset",
    received_at,
    reason,
    value
from silver.clicks
where reason is not null
