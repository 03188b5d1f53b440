-- How many visitors came how far: SELECT * FROM clickstream.funnel(
--     steps = ['Product Viewed', 'Product Added', 'Order Completed'], window = 86400,
--     from = '2026-11-01 00:00:00', to = '2026-11-08 00:00:00', breakdown = 'device_type')
-- Up to ten names of events, in order, all within `window` seconds of the first; `from` counts and
-- `to` does not; `breakdown` is a column of `events`, read where the visitor's first step was, or
-- 'everything'. Bots do not count.
--
-- windowFunnel takes no DateTime64, so it gets milliseconds. A second copy of an event is in the way
-- of nothing, hence no FINAL; only a list that names one event twice should ask a deduplicated table.
CREATE OR REPLACE VIEW clickstream.funnel AS
WITH
    {steps:Array(String)} AS steps
SELECT
    breakdown,
    step,
    steps[step] AS name,
    countIf(reached >= step) AS visitors,
    round(visitors / nullIf(first_value(visitors) OVER (PARTITION BY breakdown ORDER BY step), 0), 4) AS of_first,
    round(visitors / nullIf(lagInFrame(visitors, 1, visitors) OVER (PARTITION BY breakdown ORDER BY step), 0), 4) AS of_previous
FROM
(
    SELECT
        toString(argMinIf(e.breakdown, e.time, e.name = steps[1])) AS breakdown,
        windowFunnel({window:UInt64} * 1000)(
            toUInt64(toUnixTimestamp64Milli(e.time)),
            e.name = steps[1], e.name = steps[2], e.name = steps[3], e.name = steps[4], e.name = steps[5],
            e.name = steps[6], e.name = steps[7], e.name = steps[8], e.name = steps[9], e.name = steps[10]) AS reached
    FROM
    (
        SELECT visitor_id, name, time, {breakdown:Identifier} AS breakdown
        FROM (SELECT *, '' AS everything FROM clickstream.events)
        WHERE name IN {steps:Array(String)} AND time >= {from:DateTime64(3, 'UTC')} AND time < {to:DateTime64(3, 'UTC')} AND NOT bot
    ) AS e
    GROUP BY e.visitor_id
    HAVING reached > 0
)
ARRAY JOIN arrayEnumerate(steps) AS step
GROUP BY breakdown, step
ORDER BY breakdown, step
