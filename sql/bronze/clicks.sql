-- bronze.clicks: one row per record of the click stream, just as it came.
-- Key: topic, partition, offset. Why raw: whatever a later layer gets wrong can be computed again from here.
select
    ---------- where it came from
    topic,
    partition,
    "offset",
    timestamp,

    ---------- what it says
    key,
    value,
    headers
from changes('clicks')
