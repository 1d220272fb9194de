-- bronze.clicks: one row per record of the clickstream, exactly as it arrived.
-- Key: topic, partition, offset. Why raw: whatever a later layer gets wrong can be recomputed from here.
-- If sources in different clusters have a topic of the same name, the key needs the source, too: docs/configuration.md
-- (Several sources) shows how.
select
    ---------- where it came from
    source,
    topic,
    partition,
    "offset",
    timestamp,

    ---------- its content
    key,
    value,
    headers
from changes('clicks')
