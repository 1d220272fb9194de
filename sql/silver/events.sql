-- silver.events: one row per accepted click event, with the session that it belongs to.
-- Key: event_id, event_date. Why a merge: streams redeliver, and the first delivery wins. Also, a late event can move the
-- boundaries of sessions, whose events are then written again. `replaced_session_ids` keeps the earlier session IDs of such
-- an event, so that Gold can remove those sessions.
--
-- The file does three things, one after another: it keeps the first delivery of each event; it looks up the written
-- sessions that the new events may change; and it decides on the sessions of all of these. docs/sessions.md draws the rules.
-- Change them here, or with `vars` in pipelines.yaml:
--
-- session_timeout             '30 minutes': a longer silence ends a session (at most a day); 'off': none ends a session that
--                             the shop has named
-- session_ends_at_midnight    true: midnight in the time zone `timezone` ends sessions
-- session_ends_with_campaign  true: another campaign begins a session; `campaign` says which field of `extra` names it
with

---------- 1. The first delivery of each event
-- A record is not an event of its own if an earlier one has the same ID and happened, by its own timestamp, on the same day,
-- the day before or the day after. So only the files of three days are searched for it, however far back the table goes.
-- silver.unaccepted shows what happens to such a record.

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
        'event_id string, event_date date, event_at timestamp, session_id string, given_session_id string,
         session_is_inferred boolean, user_id string, item_id string, event_type string, replaced_session_ids string[],
         topic string, partition int, "offset" bigint, extra string'
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

---------- 2. The written sessions that new events may change
-- A silence is at most a day, so these sessions have events on the day of a new event, the day before or the day after: of
-- the same session ID, or of the same user, if one of the two has no session ID. A session that is called like an ID is
-- its first one, which may not be the first any more. (The tables of written rows stand on the right of each join, and what
-- is new on the left, so that `run --follow` opens only the files that may have the wanted IDs.)

near as (
    select distinct session_id, user_id, unnest(make_array(day_before, event_date, day_after)) as day from arrivals
),

near_sessions as (
    select unnest(make_array(near.session_id, of_id.session_id)) as session_id
    from near
    left join written as of_id on near.session_id = of_id.given_session_id and near.day = of_id.event_date

    union all

    -- events without a session ID that may join that of a new event
    select of_user.session_id
    from near
    inner join written as of_user on near.user_id = of_user.user_id and near.day = of_user.event_date
    where near.session_id is not null and of_user.given_session_id is null

    union all

    -- sessions that a new event without a session ID may join, and visits of the same user
    select of_user.session_id
    from near
    inner join written as of_user on near.user_id = of_user.user_id and near.day = of_user.event_date
    where near.session_id is null

    union all

    -- without a limit to silence, a session may have gone on for any time
    select of_id.session_id
    from near
    inner join written as of_id on near.session_id = of_id.given_session_id
    where var('session_timeout', '30 minutes') = 'off'
),

-- new events, and all events of these sessions
affected as (
    select
        event_id, event_date, event_at, user_id, item_id, event_type, topic, partition, "offset", extra,
        session_id as given_session_id,
        cast(null as varchar) as written_session_id,
        cast(null as varchar[]) as replaced_session_ids
    from new_events

    union all

    -- (rows from before there was a column for the given session ID have it as their session)
    select
        event_id, event_date, event_at, user_id, item_id, event_type, topic, partition, "offset", extra,
        case when not session_is_inferred then coalesce(given_session_id, written.session_id) end as given_session_id,
        written.session_id as written_session_id,
        replaced_session_ids
    from (select distinct session_id from near_sessions) as near_sessions
    inner join written on near_sessions.session_id = written.session_id
),

---------- 3. Sessions

considered as (
    select
        *,
        cast(nullif(var('session_timeout', '30 minutes'), 'off') as interval) as silence,
        case
            when var('session_ends_at_midnight', false) then cast(event_at at time zone var('timezone', 'UTC') as date)
        end as local_day,
        case
            when var('session_ends_with_campaign', false)
                then from_json(extra, var('campaign', 'campaign string from $.utm_campaign'), 'evolve')['campaign']
        end as campaign
    from affected
),

-- A session ID that the shop gave is cut: each person has a session of their own; silence ends it, and so do midnight and
-- campaigns, if they should. An event without a user belongs to the person known before it or, if there is none, after it,
-- so a login in the middle ends no session. The first session keeps the ID; later ones are called like the ID and the time
-- at which they began: s1@2026-03-01T10:00:00.000Z.
named as (
    select
        *,
        coalesce(
            cut_session(given_session_id, written_session_id, event_at, user_id, campaign, local_day, silence) over (
                partition by given_session_id, case when given_session_id is null then user_id end
                order by event_at, event_id
            ),
            given_session_id
        ) as named_session_id
    from considered
),

-- An event without a session ID, such as a purchase that the shop's server reports, joins the session of the same user that
-- is open before it or, if there is none, after it. Events that find no session form visits, which end as sessions do, and
-- are called u1@2026-03-01T10:00:00.000Z.
sessionized as (
    select
        *,
        coalesce(
            named_session_id,
            join_session(
                named_session_id, user_id, event_at, campaign, local_day, coalesce(silence, interval '30 minutes')
            ) over (
                partition by user_id, case when user_id is null then given_session_id end
                order by event_at, event_id
            )
        ) as session_id
    from named
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
    given_session_id,
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
