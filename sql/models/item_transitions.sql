-- item_transitions: what followed the session's newest item in other sessions.
-- A simple model that `clickrec evaluate` compares with the blend (pipelines.yaml: `recommender`).
with

newest as (
    select session_id, item_id from (
        select
            session_id,
            item_id,
            row_number() over (partition by session_id order by last_event_at desc, item_id) as back
        from gold.requests
        where item_id is not null
    )
    where back = 1
),

transitions as (
    select * from item_transitions(
        (
            select events.session_id, events.item_id, events.event_at
            from silver.events
            left anti join silver.excluded_sessions as excluded on events.session_id = excluded.session_id
        ),
        session => session_id,
        item => item_id,
        at => event_at,
        k => 500
    )
)

select
    newest.session_id,
    transitions.next_item as item_id,
    transitions.weight as score
from newest
inner join transitions on newest.item_id = transitions.item_id
left join gold.requests as seen
    on newest.session_id = seen.session_id and transitions.next_item = seen.item_id
where not var('exclude_seen', false) or seen.item_id is null
