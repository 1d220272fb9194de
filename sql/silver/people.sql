-- silver.people: one row per session: who it was, and what tells people from machines.
-- Key: session_id. Why a merge: only sessions with new events are looked at, and those that share an id with them. A session
-- that has lost all its events to another session is deleted (pipelines.yaml: `delete: events = 0`).
--
-- A person is a user id. A session without one belongs to the user who logged in elsewhere under the same id: in another part
-- of the session that the shop sent (silver.events may cut it into several), or under the same anonymous id, which is a browser
-- or a device. Nothing is followed any further: two user ids are always two people, and a batch looks at no more than the
-- sessions that share an id with its own.
--
-- Change here which fields of `extra` hold the ids, and which ids stand for nobody. With var('users_per_id', 1), an id that is
-- used by more users than this links nobody; so does one with more sessions than var('sessions_per_id', 1000).
with

touched as (
    select distinct unnest(array_append(replaced_session_ids, session_id)) as session_id
    from changes('silver.events')
),

written as (
    select * from previous(
        'session_id string, person_id string, user_id string, sent_session_id string, anonymous_id string,
         session_user_id string, anonymous_person_id string, user_agent string, events bigint, views bigint,
         started_at timestamp, ended_at timestamp'
    )
),

nobody as (
    select id from (values
        ('0'), ('-1'), ('-'), ('?'), ('null'), ('nil'), ('none'), ('nan'), ('undefined'), ('unknown'), ('anonymous'), ('guest'),
        ('n/a'), ('(not set)'), ('[object object]'), ('true'), ('false'), ('00000000-0000-0000-0000-000000000000')
    ) as ids (id)
),

---------- what the events of a session say

sent as (
    select
        touched.session_id,
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
        event_id,
        event_at,
        event_type,
        user_id,
        nullif(trim(coalesce(extra['anonymous_id'], extra['anonymousId'], extra['device_id'])), '') as anonymous_id,
        coalesce(extra['user_agent'], extra['userAgent'], extra['context_user_agent']) as user_agent
    from sent
),

-- (the smallest of several, so that the order of the events does not matter)
ids as (
    select
        fields.session_id,
        min(case when no_user.id is null then fields.user_id end) as user_id,
        min(case when no_visitor.id is null then fields.anonymous_id end) as anonymous_id,
        min(fields.user_agent) as user_agent,
        count(fields.event_id) as events,
        count(fields.event_id) filter (where fields.event_type = 'view') as views,
        min(fields.event_at) as started_at,
        max(fields.event_at) as ended_at
    from fields
    left join nobody as no_user on lower(fields.user_id) = no_user.id
    left join nobody as no_visitor on lower(fields.anonymous_id) = no_visitor.id
    group by fields.session_id
),

named as (
    select
        *,
        -- silver.events adds `@` and a time to the later parts of a session
        case
            when session_id like '%@____-__-__T__:__:__.___Z' then left(session_id, length(session_id) - 25)
            else session_id
        end as name
    from ids
),

sessions as (
    select
        session_id,
        cast(null as varchar) as person_id,
        user_id,
        case when nobody.id is null then name end as sent_session_id,
        anonymous_id,
        cast(null as varchar) as session_user_id,
        cast(null as varchar) as anonymous_person_id,
        user_agent,
        events,
        views,
        started_at,
        ended_at
    from named
    left join nobody on lower(named.name) = nobody.id
),

---------- the sessions that share an id with them, now or before

before as (
    select written.* from written left semi join touched on written.session_id = touched.session_id
),

session_ids as (
    select sent_session_id as id from sessions where sent_session_id is not null and events > 0

    union

    select sent_session_id from before where sent_session_id is not null
),

anonymous_ids as (
    select anonymous_id as id from sessions where anonymous_id is not null

    union

    select anonymous_id from before where anonymous_id is not null
),

same_session as (
    select written.*
    from written
    left semi join session_ids on written.sent_session_id = session_ids.id
    left anti join touched on written.session_id = touched.session_id
),

same_browser as (
    select written.*
    from written
    left semi join anonymous_ids on written.anonymous_id = anonymous_ids.id
    left anti join touched on written.session_id = touched.session_id
),

---------- whom an id stands for

users_of_sessions as (
    select
        id,
        count(*) as users,
        first_value(user_id order by last_at desc, user_id) as user_id
    from (
        select id, user_id, max(ended_at) as last_at
        from (
            select sent_session_id as id, user_id, ended_at from sessions
            union all
            select sent_session_id as id, user_id, ended_at from same_session
        )
        where id is not null and user_id is not null
        group by id, user_id
    )
    group by id
),

users_of_browsers as (
    select
        id,
        count(user_id) as users,
        sum(sessions) as sessions,
        first_value(user_id order by user_id is null, last_at desc, user_id) as user_id
    from (
        select id, user_id, count(*) as sessions, max(ended_at) as last_at
        from (
            select anonymous_id as id, user_id, ended_at from sessions
            union all
            select anonymous_id as id, user_id, ended_at from same_browser
        )
        where id is not null
        group by id, user_id
    )
    group by id
),

session_users as (
    select
        session_ids.id,
        case when users.users <= var('users_per_id', 1) then users.user_id end as user_id
    from session_ids
    left join users_of_sessions as users on session_ids.id = users.id
),

anonymous_people as (
    select
        anonymous_ids.id,
        case
            when users.users > var('users_per_id', 1) or users.sessions > var('sessions_per_id', 1000) then null
            else coalesce(users.user_id, concat('anonymous:', anonymous_ids.id))
        end as person_id
    from anonymous_ids
    left join users_of_browsers as users on anonymous_ids.id = users.id
),

---------- whom a session belongs to

affected as (
    select *, true as is_touched from sessions

    union all

    select *, false as is_touched from (select * from same_session union select * from same_browser)
),

linked as (
    select
        affected.*,
        case when session_users.id is null then affected.session_user_id else session_users.user_id end as new_session_user_id,
        case when anonymous_people.id is null then affected.anonymous_person_id else anonymous_people.person_id end
            as new_anonymous_person_id
    from affected
    left join session_users on affected.sent_session_id = session_users.id
    left join anonymous_people on affected.anonymous_id = anonymous_people.id
),

people as (
    select
        *,
        coalesce(
            user_id,
            new_session_user_id,
            new_anonymous_person_id,
            concat('session:', coalesce(sent_session_id, session_id))
        ) as new_person_id
    from linked
)

select
    ---------- ids
    session_id,
    new_person_id as person_id,     -- a user id, or 'anonymous:ID' or 'session:ID' where no user is known

    ---------- what the shop sent
    user_id,
    sent_session_id,
    anonymous_id,

    ---------- whom these ids stand for
    new_session_user_id as session_user_id,
    new_anonymous_person_id as anonymous_person_id,

    ---------- what tells people from machines (silver.excluded_sessions)
    user_agent,
    events,
    views,
    started_at,
    ended_at
from people
where
    is_touched
    or new_person_id <> person_id
    or (new_session_user_id is distinct from session_user_id)
    or (new_anonymous_person_id is distinct from anonymous_person_id)
