-- silver.reconciliation: one row per batch of records: what became of them.
-- A run warns if the records read are not accepted + repeated + quarantined, if none of many records was accepted, and if
-- the records' own times cannot be right. The run, system.runs, the dashboard and the metrics show these counts.
with

places as (
    select
        topic,
        partition,
        "offset",
        timestamp as received_at
    from changes('bronze.clicks')
),

records as (
    select
        count(*) as read,
        count(*) filter (where is_odd) as odd_times,
        min(received_at) filter (where is_odd) as odd_time
    from (
        select
            received_at,
            received_at < arrow_cast(var('oldest_event', '2000-01-01'), 'Timestamp(Microsecond, Some("UTC"))')
            or received_at >= arrow_cast(var('newest_event', '2100-01-01'), 'Timestamp(Microsecond, Some("UTC"))') as is_odd
        from places
    )
),

-- counted in the table itself, so that records that the quarantine's SQL drops are noticed
quarantined as (
    select reason, count(*) as records
    from changes('silver.quarantine') as quarantine
    left semi join places
        on quarantine."offset" = places."offset" and quarantine.partition = places.partition and quarantine.topic = places.topic
    group by reason
),

unaccepted as (
    select
        count(*) as records,
        count(*) filter (where outcome = 'repeated') as repeated,
        count(*) filter (where outcome = 'conflicting') as conflicting
    from silver.unaccepted
)

select
    ---------- what became of the records
    records.read,
    records.read - unaccepted.records as accepted,
    unaccepted.repeated,
    coalesce(reasons.records, 0) as quarantined,
    unaccepted.conflicting,

    ---------- what needs attention
    reasons.commonest_reason,
    records.odd_times,
    records.odd_time
from records
cross join unaccepted
cross join (
    select sum(records) as records, first_value(reason order by records desc, reason) as commonest_reason from quarantined
) as reasons
where records.read > 0
