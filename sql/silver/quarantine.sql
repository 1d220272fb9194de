-- silver.quarantine: one row per record that was not accepted, with the reason.
-- Key: topic, partition, offset. Why kept: a record is never dropped; after a fix it can be read again from here.
select
    ---------- where it came from
    topic,
    partition,
    "offset",
    received_at,

    ---------- what is wrong, and with what
    reason,
    value
from silver.clicks
where reason is not null
