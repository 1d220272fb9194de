-- silver.person_events (view): one row per event, with the person it belongs to.
-- The events are as they were sent; only silver.people changes when it becomes known whose a session is.
select
    ---------- IDs
    events.event_id,
    people.person_id,
    events.session_id,
    events.user_id,
    events.item_id,

    ---------- what happened
    events.event_type,
    events.event_at,
    events.event_date,
    events.extra
from silver.events
left join silver.people as people on events.session_id = people.session_id
