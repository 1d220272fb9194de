-- The most active sessions, by $event_type if it is given. First come those into which the session ID $search was cut, as
-- silver.events calls them, the newest before all others.
select
    session_id, user_id, started_at, ended_at, duration_s, events, views, add_to_carts, purchases, distinct_items, converted
from gold.sessions
where
    ($from is null or ended_at >= $from)
    and ($to is null or started_at < $to)
    and ($search is null or strpos(session_id, $search) > 0)
    and (
        $event_type is null
        or case $event_type when 'view' then views when 'add_to_cart' then add_to_carts else purchases end > 0
    )
order by
    coalesce(session_id = $search or starts_with(session_id, concat($search, '@')), false) desc,
    case when session_id = $search or starts_with(session_id, concat($search, '@')) then ended_at end desc,
    case $event_type when 'view' then views when 'add_to_cart' then add_to_carts when 'purchase' then purchases else events end desc,
    ended_at desc,
    session_id asc
limit $limit
