-- The hour from which on there are no more than $limit events; NULL where there are fewer in all.
select arrow_cast(max(at), 'Timestamp(Microsecond, Some("UTC"))') as since
from (
    select
        to_timestamp_seconds(cast(extract(epoch from day) as bigint) + 3600 * hour) as at,
        sum(events) over (order by day desc, hour desc rows unbounded preceding) as events
    from gold.engagement
)
where events > $limit
