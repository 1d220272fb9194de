-- silver.quarantine: one row per record that was not accepted, with the reason; repeated deliveries are not included.
-- Key: topic, partition, offset. Why kept: a record is never dropped; after a fix, it can be read again from here.
select
    ---------- where it came from
    topic,
    partition,
    "offset",
    received_at,

    ---------- what is wrong, and the value
    reason,
    value,
    detail
from silver.unaccepted
where outcome in ('rejected', 'conflicting')
