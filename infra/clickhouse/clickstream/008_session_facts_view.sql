-- Events without a session id (servers send them) are in no session.
CREATE MATERIALIZED VIEW IF NOT EXISTS clickstream.session_facts_view TO clickstream.session_facts AS
SELECT
    toDate(e.received_at) AS received_on,
    e.visitor_id AS visitor_id,
    e.session_id AS session_id,
    min(e.time) AS started_at,
    max(e.time) AS ended_at,
    max(e.user_id) AS user_id,
    argMinState(toString(e.source), e.time) AS source,
    argMinState(e.path, e.time) AS landing_path,
    argMaxState(e.path, e.time) AS exit_path,
    argMinState(toString(e.referrer_host), e.time) AS referrer_host,
    argMinState(toString(e.campaign_source), e.time) AS campaign_source,
    argMinState(toString(e.campaign_medium), e.time) AS campaign_medium,
    argMinState(toString(e.campaign_name), e.time) AS campaign_name,
    argMinState(toString(e.device_type), e.time) AS device_type,
    argMinState(toString(e.country), e.time) AS country,
    max(e.bot) AS bot,
    uniqExactState(e.event_id) AS events,
    uniqExactIfState(e.event_id, e.type = 'page') AS pages,
    groupUniqArray(toString(e.name)) AS names,
    maxMapIf(
        map(if(e.order_id != '', e.order_id, e.event_id), assumeNotNull(e.revenue)),
        e.name = 'Order Completed' AND e.revenue IS NOT NULL) AS orders
FROM clickstream.events AS e
WHERE e.session_id != ''
GROUP BY received_on, visitor_id, session_id
