-- silver.excluded_sessions (view): one row per session that Gold and the models leave out, and why: machines, and the shop's
-- own tests. Their events stay in silver.events, and they get recommendations like everybody.
-- Change the rules here: the next run computes Gold again, without what they match. With `vars: { excluded: count }` in
-- pipelines.yaml, nothing is left out.
with

-- `vars: { test_ids: 'qa-1, qa-2' }`: user ids, anonymous ids and session ids, as the shop sends them
people as (
    select
        *,
        string_to_array(regexp_replace(trim(var('test_ids', '')), '\s*,\s*', ',', 'g'), ',') as test_ids
    from silver.people
),

judged as (
    select
        session_id,
        person_id,
        events,
        started_at,
        case
            when var('excluded', 'leave_out') = 'count' then null
            when
                array_has(test_ids, coalesce(user_id, ''))
                or array_has(test_ids, coalesce(anonymous_id, ''))
                or array_has(test_ids, coalesce(sent_session_id, ''))
                then 'test'
            -- (Cubot makes telephones)
            when
                regexp_like(
                    user_agent,
                    '(^|[^u])bot|crawl|spider|slurp|scrap|archiver|headless|phantomjs|selenium|puppeteer|playwright|lighthouse|'
                    || 'pingdom|uptime|statuscake|site24x7|externalhit|link preview|curl/|wget/|python-requests',
                    'i'
                )
                then 'user agent'
            -- views only: an order may have hundreds of lines, all sent at once
            when views > var('views_per_minute', 120) * greatest(1.0, extract(epoch from ended_at - started_at) / 60.0)
                then 'too many views a minute'
            -- an event without a user may be anybody's
            when has_id_of_many and events_without_user > 0 then 'session id of many users'
        end as reason
    from people
)

select
    ---------- IDs
    session_id,
    person_id,

    ---------- why it is left out
    reason,

    ---------- how much is left out
    events,
    started_at
from judged
where reason is not null
