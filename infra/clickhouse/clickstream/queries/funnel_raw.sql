-- The funnel over JSON strings, as somebody would ask who has no `events`: one JSONExtract for what
-- it needs, and the days of arrival that the window can touch (a day of lateness).
-- Parameters: steps, window (seconds), from, to. The answer must be that of funnel_events.sql.
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
    FROM
    (
        SELECT
            JSONExtract(event,
                'Tuple(event String, anonymousId String, userId String, timestamp String, request Tuple(bot Bool))') AS e,
            e.event AS name,
            if(e.anonymousId != '', e.anonymousId, e.userId) AS visitor_id,
            assumeNotNull(parseDateTime64OrNull(e.timestamp, '%Y-%m-%dT%H:%i:%s.%fZ', 'UTC')) AS time
        FROM clickstream.raw_events
        WHERE _timestamp >= {from:DateTime64(3, 'UTC')} AND _timestamp < {to:DateTime64(3, 'UTC')} + INTERVAL 1 DAY
            AND name IN {steps:Array(String)}
            AND time >= {from:DateTime64(3, 'UTC')} AND time < {to:DateTime64(3, 'UTC')}
            AND NOT e.request.bot
    )
    GROUP BY visitor_id
    HAVING reached > 0
)
ARRAY JOIN arrayEnumerate({steps:Array(String)}) AS step
GROUP BY step
ORDER BY step
