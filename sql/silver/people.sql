-- silver.people: one row per session: who it was, and what tells people from machines.
-- Key: session_id. Why a merge: only sessions with new events are looked at, and those that share an id with them. A session
-- that has lost all its events to another session is deleted (pipelines.yaml: `delete: events = 0`).
--
-- A person is a user id. A session without one belongs to the user who logged in elsewhere under the same id: in another part
-- of the session that the shop sent (silver.events may cut it into several), or under the same anonymous id, which is a browser
-- or a device. Nothing is followed any further: two user ids are always two people, and a batch looks at no more than the
-- sessions that share an id with its own.
--
-- Change here which fields of `extra` hold the ids, and which anonymous ids stand for nobody (silver.clicks says so for users
-- and sessions). With var('users_per_id', 1), an id that is used by more users than this links nobody; so does one with more
-- sessions than var('sessions_per_id', 1000). A session id with more users than var('users_per_session_id', 100) is one that a
-- program gives to everybody: silver.excluded_sessions leaves out those of its sessions that have events without a user.
with

written as (
    select * from previous(
        'session_id string, person_id string, user_id string, sent_session_id string, anonymous_id string,
         session_user_id string, anonymous_person_id string, has_id_of_many boolean, user_agent string, events bigint,
         views bigint, events_without_user bigint, started_at timestamp, ended_at timestamp'
    )
),

touched as (
    select distinct unnest(array_append(replaced_session_ids, session_id)) as session_id from changes('silver.events')
),

---------- what the events of a session say

sent as (
    select
        touched.session_id,
        -- (rows from before silver.events had a column for it have it as their session)
        case
            when events.session_is_inferred is not true then coalesce(events.given_session_id, events.session_id)
        end as sent_session_id,
        events.event_id,
        events.event_at,
        events.event_type,
        events.user_id,
        from_json(
            events.extra,
            'anonymous_id string, anonymousId string, device_id string,
             user_agent string, userAgent string, context_user_agent string from $.context.userAgent',
            'evolve'
        ) as extra
    from touched
    left join silver.events as events on touched.session_id = events.session_id
),

fields as (
    select
        session_id,
        sent_session_id,
        event_id,
        event_at,
        event_type,
        user_id,
        nullif(trim(coalesce(extra['anonymous_id'], extra['anonymousId'], extra['device_id'])), '') as anonymous_id,
        coalesce(extra['user_agent'], extra['userAgent'], extra['context_user_agent']) as user_agent
    from sent
),

identified as (
    select
        * replace (
            -- some shops send the anonymous id as the user of those who are not logged in
            nullif(user_id, anonymous_id) as user_id,
            case when lower(anonymous_id) not in (
                'null', 'none', 'nil', 'nan', 'n/a', 'undefined',
                'unknown', 'anonymous', 'guest', '(not set)', '(none)', '[object object]',
                '0', '-1', '00000000-0000-0000-0000-000000000000', '00000000000000000000000000000000'
            ) then anonymous_id end as anonymous_id
        )
    from fields
),

-- (the smallest of several, so that the order of the events does not matter)
sessions as (
    select
        session_id,
        min(sent_session_id) as sent_session_id,
        min(user_id) as user_id,
        min(anonymous_id) as anonymous_id,
        min(user_agent) as user_agent,
        count(event_id) as events,
        count(event_id) filter (where event_type = 'view') as views,
        count(event_id) filter (where user_id is null) as events_without_user,
        min(event_at) as started_at,
        max(event_at) as ended_at
    from identified
    group by session_id
),

---------- the sessions that share an id with them, now or before: all that have this id. (The written rows stand on the right
---------- of each join, so that `run --follow` opens only the files that may have the wanted ids.)

before as (
    select
        written.sent_session_id,
        written.anonymous_id
    from touched
    inner join written on touched.session_id = written.session_id
),

session_ids as (
    select sent_session_id from sessions

    union

    select sent_session_id from before
),

anonymous_ids as (
    select anonymous_id from sessions

    union

    select anonymous_id from before
),

others as (
    select
        written.*,
        true as has_all_parts,
        false as has_all_of_browser
    from session_ids
    inner join written on session_ids.sent_session_id = written.sent_session_id
    left anti join touched on written.session_id = touched.session_id

    union all

    select
        written.*,
        false as has_all_parts,
        true as has_all_of_browser
    from anonymous_ids
    inner join written on anonymous_ids.anonymous_id = written.anonymous_id
    left anti join touched on written.session_id = touched.session_id
),

affected as (
    select
        session_id,
        sent_session_id,
        user_id,
        anonymous_id,
        user_agent,
        events,
        views,
        events_without_user,
        started_at,
        ended_at,
        cast(null as varchar) as old_person_id,
        cast(null as varchar) as old_session_user_id,
        cast(null as varchar) as old_anonymous_person_id,
        cast(null as boolean) as old_has_id_of_many,
        true as is_touched,
        true as has_all_parts,
        true as has_all_of_browser
    from sessions

    union all

    select
        session_id,
        sent_session_id,
        user_id,
        anonymous_id,
        user_agent,
        events,
        views,
        events_without_user,
        started_at,
        ended_at,
        person_id,
        session_user_id,
        anonymous_person_id,
        has_id_of_many,
        false,
        bool_or(has_all_parts),
        bool_or(has_all_of_browser)
    from others
    group by
        session_id, sent_session_id, user_id, anonymous_id, user_agent, events, views, events_without_user, started_at,
        ended_at, person_id, session_user_id, anonymous_person_id, has_id_of_many
),

---------- whom an id stands for: the user who was seen last, unless there are too many

counted as (
    select
        *,
        count(distinct user_id) over (partition by sent_session_id) as users_of_session,
        count(distinct user_id) over (partition by anonymous_id) as users_of_browser,
        count(*) over (partition by anonymous_id) as sessions_of_browser,
        -- `2025-07-13T12:00:00.000000 USER`
        max(concat(seen_at, user_id)) over (partition by sent_session_id) as last_of_session,
        max(concat(seen_at, user_id)) over (partition by anonymous_id) as last_of_browser
    from (
        select
            *,
            case when user_id is not null then to_char(ended_at, '%Y-%m-%dT%H:%M:%S%.6f ') else '' end as seen_at
        from affected
    )
),

linked as (
    select
        *,
        case
            when not has_all_parts then old_session_user_id
            when sent_session_id is not null and users_of_session between 1 and var('users_per_id', 1)
                then substr(last_of_session, 28)
        end as session_user_id,
        case
            when not has_all_of_browser then old_anonymous_person_id
            when anonymous_id is null or sessions_of_browser > var('sessions_per_id', 1000) then null
            when users_of_browser = 0 then concat('anonymous:', anonymous_id)
            when users_of_browser <= var('users_per_id', 1) then substr(last_of_browser, 28)
        end as anonymous_person_id,
        case
            when not has_all_parts then old_has_id_of_many
            else sent_session_id is not null and users_of_session > var('users_per_session_id', 100)
        end as has_id_of_many
    from counted
),

people as (
    select
        *,
        coalesce(
            user_id,
            session_user_id,
            anonymous_person_id,
            concat('session:', coalesce(sent_session_id, session_id))
        ) as person_id
    from linked
)

select
    ---------- IDs
    session_id,
    person_id,                  -- a user id, or 'anonymous:ID' or 'session:ID' where no user is known

    ---------- what the shop sent
    user_id,
    sent_session_id,
    anonymous_id,

    ---------- whom these ids stand for
    session_user_id,
    anonymous_person_id,

    ---------- what tells people from machines (silver.excluded_sessions)
    has_id_of_many,             -- whether a program gives its session id to everybody
    user_agent,
    events,
    views,
    events_without_user,
    started_at,
    ended_at
from people
where
    is_touched
    or person_id <> old_person_id
    or (session_user_id is distinct from old_session_user_id)
    or (anonymous_person_id is distinct from old_anonymous_person_id)
    or (has_id_of_many is distinct from old_has_id_of_many)
