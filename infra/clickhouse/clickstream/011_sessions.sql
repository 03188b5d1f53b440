-- The sessions that started from `from` until before `to`.
-- Rows that arrived up to thirty days after `to` count: browsers that were offline.
CREATE OR REPLACE VIEW clickstream.sessions AS
SELECT
    visitor_id,
    session_id,
    min(f.started_at) AS started_at,
    max(f.ended_at) AS ended_at,
    dateDiff('second', min(f.started_at), max(f.ended_at)) AS seconds,
    max(f.user_id) AS user_id,
    argMinMerge(f.source) AS source,
    argMinMerge(f.landing_path) AS landing_path,
    argMaxMerge(f.exit_path) AS exit_path,
    argMinMerge(f.referrer_host) AS referrer_host,
    argMinMerge(f.campaign_source) AS campaign_source,
    argMinMerge(f.campaign_medium) AS campaign_medium,
    argMinMerge(f.campaign_name) AS campaign_name,
    argMinMerge(f.device_type) AS device_type,
    argMinMerge(f.country) AS country,
    max(f.bot) AS bot,
    uniqExactMerge(f.events) AS events,
    uniqExactIfMerge(f.pages) AS pages,
    groupUniqArrayArray(f.names) AS names,
    maxMap(f.orders) AS revenue_of_orders,
    length(revenue_of_orders) AS orders,
    arraySum(mapValues(revenue_of_orders)) AS revenue
FROM clickstream.session_facts AS f
WHERE f.received_on BETWEEN toDate({from:DateTime}) - 1 AND toDate({to:DateTime}) + 30
GROUP BY visitor_id, session_id
HAVING started_at >= {from:DateTime} AND started_at < {to:DateTime}
