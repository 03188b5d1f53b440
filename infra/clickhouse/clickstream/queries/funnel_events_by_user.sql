-- The funnel over events in the order of visitors.
-- Parameters: steps, window (seconds), from, to. The answer must be that of funnel_raw.sql.
SELECT
    step,
    {steps:Array(String)}[step] AS name,
    countIf(reached >= step) AS visitors
FROM
(
    SELECT
        windowFunnel({window:UInt64} * 1000)(
            toUInt64(toUnixTimestamp64Milli(time)),
            name = {steps:Array(String)}[1], name = {steps:Array(String)}[2], name = {steps:Array(String)}[3],
            name = {steps:Array(String)}[4], name = {steps:Array(String)}[5], name = {steps:Array(String)}[6],
            name = {steps:Array(String)}[7], name = {steps:Array(String)}[8], name = {steps:Array(String)}[9],
            name = {steps:Array(String)}[10]) AS reached
    FROM clickstream.events_by_user
    WHERE name IN {steps:Array(String)}
        AND time >= {from:DateTime64(3, 'UTC')} AND time < {to:DateTime64(3, 'UTC')}
        AND NOT bot
    GROUP BY visitor_id
    HAVING reached > 0
)
ARRAY JOIN arrayEnumerate({steps:Array(String)}) AS step
GROUP BY step
ORDER BY step
SETTINGS optimize_aggregation_in_order = 1
