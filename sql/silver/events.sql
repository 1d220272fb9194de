-- silver.events: one row per accepted click event.
-- Key: event_id, event_date. Why a merge: streams redeliver, and the first delivery wins. Also, a late event can move the
-- boundaries of inferred sessions, whose events are then written again.
-- A record is not an event of its own if an earlier one has the same ID and happened, by its own timestamp, on the same day,
-- the day before or the day after. So only the files of three days are searched for it, however far back the table goes.
-- silver.unaccepted shows what happens to such a record.
--
-- If the shop names no session, one is inferred: the events of a user that are no more than 30 minutes apart.
-- `replaced_session_ids` keeps the earlier session IDs of such an event, so that Gold can remove those sessions.
with

arrivals as (
    select
        *,
        cast(event_at as date) as event_date,
        cast(event_at - interval '1 day' as date) as day_before,
        cast(event_at + interval '1 day' as date) as day_after
    from silver.clicks
    where reason is null
),

written as (
    select * from previous(
        'event_id string, event_date date, event_at timestamp, session_id string, user_id string, item_id string,
         event_type string, session_is_inferred boolean, replaced_session_ids string[], topic string, partition int, "offset" bigint, extra string'
    )
),

unseen as (
    select arrivals.*
    from arrivals
    left anti join written on arrivals.event_id = written.event_id and arrivals.event_date = written.event_date
    left anti join written as earlier on arrivals.event_id = earlier.event_id and arrivals.day_before = earlier.event_date
    left anti join written as later on arrivals.event_id = later.event_id and arrivals.day_after = later.event_date
),

-- (not row_number() partitioned by event_id: a window for each event would cost more than everything else)
deliveries as (
    select
        *,
        first_within(event_id, event_date, 1) over (order by event_id, received_at, topic, partition, "offset") as is_first
    from unseen
),

new_events as (
    select * from deliveries where is_first
),

users_without_session as (
    select distinct user_id from arrivals where session_id is null
),

-- new events, and earlier events whose inferred sessions they may change
affected as (
    select
        event_id, event_date, event_at, user_id, item_id, event_type, topic, partition, "offset", extra,
        session_id as given_session_id,
        cast(null as varchar) as written_session_id,
        cast(null as varchar[]) as replaced_session_ids
    from new_events

    union all

    select
        written.event_id, written.event_date, event_at, written.user_id, item_id, event_type, topic, partition, "offset", extra,
        cast(null as varchar) as given_session_id,
        session_id as written_session_id,
        replaced_session_ids
    from written
    left semi join users_without_session on written.user_id = users_without_session.user_id
    where session_is_inferred
),

visits as (
    select
        *,
        coalesce(given_session_id, user_id) as visit_key,
        lag(event_at) over (
            partition by given_session_id, coalesce(given_session_id, user_id) order by event_at, event_id
        ) as before_at
    from affected
),

numbered as (
    select
        *,
        sum(case when event_at <= before_at + interval '30 minutes' then 0 else 1 end) over (
            partition by given_session_id, visit_key order by event_at, event_id
            rows unbounded preceding
        ) as visit
    from visits
),

sessionized as (
    select
        *,
        coalesce(
            given_session_id,
            concat(user_id, '@', to_char(
                first_value(event_at) over (
                    partition by given_session_id, visit_key, visit order by event_at, event_id
                    rows unbounded preceding
                ),
                '%Y-%m-%dT%H:%M:%S%.3fZ'
            ))
        ) as session_id
    from numbered
)

select
    ---------- IDs
    event_id,
    session_id,
    user_id,
    item_id,

    ---------- what happened
    event_type,
    event_at,
    event_date,

    ---------- how the session was determined
    given_session_id is null as session_is_inferred,
    case
        when written_session_id <> session_id then array_append(replaced_session_ids, written_session_id)
        else replaced_session_ids
    end as replaced_session_ids,

    ---------- where it came from
    topic,
    partition,
    "offset",

    ---------- fields without a column of their own, as JSON
    extra
from sessionized
where written_session_id is distinct from session_id
