-- bronze.clicks: one row per record of the click stream, exactly as it arrived.
-- Key: topic, partition, offset. Why raw: whatever a later layer gets wrong can be recomputed from here.
select
    ---------- where it came from
    topic,
    partition,
    "offset",
    timestamp,

    ---------- its content
    key,
    value,
    headers
from changes('clicks')
