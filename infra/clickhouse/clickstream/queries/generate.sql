-- Fills clickstream.raw_events with a shop's events: the same ones for the same parameters.
--   rows  how many        seed  another one gives other events        from, to  when they happen
--
-- A row follows from its number alone, so that the server may generate in parallel: every 128 rows
-- are 16 sessions of 3 to 15 events. Some of them go Product Viewed, Product Added, Checkout
-- Started, Order Completed, and most stop on the way. Sessions start in the order of their numbers,
-- as records of a topic do, with more of them in the evening.
INSERT INTO clickstream.raw_events
WITH
    [3, 15, 7, 4, 9, 12, 5, 8, 6, 10, 13, 3, 11, 7, 8, 7] AS lengths,
    arrayFlatten(arrayMap((length, i) -> arrayWithConstant(length, i - 1), lengths, arrayEnumerate(lengths))) AS session_at,
    arrayFlatten(arrayMap(length -> range(length), lengths)) AS step_at,
    ['Product Viewed', 'Product Added', 'Checkout Started', 'Order Completed'] AS funnel,
    [
        ('mobile', 'Apple', 'iPhone', 'Mobile Safari', '26.1', 'iOS', '26.1', 393, 852),
        ('mobile', 'Samsung', 'Galaxy S25', 'Chrome Mobile', '156.0', 'Android', '16', 412, 915),
        ('mobile', 'Google', 'Pixel 10', 'Chrome Mobile', '156.0', 'Android', '16', 412, 923),
        ('desktop', '', '', 'Chrome', '156.0', 'Windows', '11', 1920, 1080),
        ('desktop', '', '', 'Edge', '156.0', 'Windows', '11', 1536, 864),
        ('desktop', 'Apple', 'Mac', 'Safari', '26.1', 'Mac OS X', '26.1', 1728, 1117),
        ('desktop', '', '', 'Firefox', '151.0', 'Linux', '', 2560, 1440),
        ('tablet', 'Apple', 'iPad', 'Mobile Safari', '26.1', 'iOS', '26.1', 820, 1180)
    ] AS devices,
    [
        ('DE', 'de-DE', 'Europe/Berlin'), ('DE', 'de-DE', 'Europe/Berlin'), ('AT', 'de-AT', 'Europe/Vienna'),
        ('FR', 'fr-FR', 'Europe/Paris'), ('US', 'en-US', 'America/New_York'), ('GB', 'en-GB', 'Europe/London')
    ] AS places,
    [('newsletter', 'email'), ('google', 'cpc'), ('instagram', 'social')] AS campaigns,
    rows_of_sessions AS (
        SELECT
            number AS n,
            session_at[number % 128 + 1] AS session_in_block,
            step_at[number % 128 + 1] AS step,
            lengths[session_in_block + 1] AS length,
            intDiv(number, 128) * 16 + session_in_block AS session,
            sipHash64('session', {seed:UInt64}, session) AS of_session,
            sipHash64('event', {seed:UInt64}, number) AS of_event,
            of_session % greatest(intDiv({rows:UInt64}, 24), 1) AS visitor,
            sipHash64('visitor', {seed:UInt64}, visitor) AS of_visitor
        FROM numbers({rows:UInt64})
    ),
    described AS (
        SELECT
            *,
            devices[of_visitor % 8 + 1] AS device,
            places[intDiv(of_visitor, 8) % 6 + 1] AS place,
            campaigns[intDiv(of_session, 7) % 12 + 1] AS campaign,
            intDiv(of_session, 1000) % 1000 AS luck,
            if(luck < 80, 4, if(luck < 160, 3, if(luck < 320, 2, if(luck < 720, 1, 0)))) AS depth,
            indexOf(if(length < 8, [1, 2, 3, 4], [1, 3, 5, 7]), step) AS stage,
            multiIf(
                stage > 0 AND stage <= depth, funnel[stage],
                step = 0 OR of_event % 4 < 2, '',
                of_event % 4 = 2, 'Button Clicked',
                'Product List Viewed') AS name,
            1 + intDiv(of_session, 100) % 2000 AS product,
            multiIf(
                name IN ('Product Viewed', 'Product Added'), concat('/products/', toString(product)),
                name = 'Checkout Started', '/checkout',
                name = 'Order Completed', '/checkout/done',
                ['/', '/sale', '/products', '/about', '/search', '/account'][intDiv(of_event, 4) % 6 + 1]) AS path,
            toFloat64(toUnixTimestamp({to:DateTime('UTC')}) - toUnixTimestamp({from:DateTime('UTC')})) AS seconds,
            seconds * session / greatest(intDiv({rows:UInt64}, 8), 1) AS even,
            even - 10000 * (1 - cos(2 * pi() * even / 86400)) / 2 AS daily,
            fromUnixTimestamp64Milli(
                toInt64(toUnixTimestamp({from:DateTime('UTC')})) * 1000
                    + toInt64(greatest(daily, 0) * 1000) + step * 20000 + of_event % 15000, 'UTC') AS happened,
            happened + toIntervalMillisecond(50 + of_event % 2000) AS received,
            intDiv(of_visitor, 50) % 20 = 0 AS signed_in,
            toDecimalString(5 + product % 195 + 0.99, 2) AS price,
            1 + of_session % 3 AS quantity
        FROM rows_of_sessions
    ),
    texts AS (
        SELECT
            *,
            concat(replaceOne(toString(happened), ' ', 'T'), 'Z') AS at,
            lower(hex(of_visitor)) AS visitor_id,
            multiIf(
                name = '' OR name = 'Product List Viewed', '{}',
                name = 'Button Clicked', concat('{"label":"More","position":', toString(of_event % 9), '}'),
                concat(
                    '{"product_id":"P-', toString(product), '","price":', price,
                    ',"quantity":', toString(quantity), ',"currency":"EUR","variant":"',
                    ['blue', 'red', 'black'][of_event % 3 + 1], '"',
                    if(name = 'Order Completed',
                        concat(',"order_id":"O-', toString(session), '","revenue":', toString(toDecimal64(price, 2) * quantity)),
                        ''), '}')) AS properties
        FROM described
    )
SELECT
    concat(
        '{"type":"', if(name = '', 'page', 'track'), if(name = '', '","name":"', '","event":"'), name,
        '","messageId":"', lower(hex(sipHash128({seed:UInt64}, n))), '","anonymousId":"', visitor_id,
        if(signed_in, concat('","userId":"user-', toString(visitor)), ''),
        '","properties":', properties,
        ',"context":{"page":{"path":"', path, '","referrer":"', if(step = 0, 'https://www.google.com/', 'https://shop.example.com/'),
        '","search":"","title":"Shop ', path, '","url":"https://shop.example.com', path, '"}',
        if(campaign.1 = '', '',
            concat(',"campaign":{"name":"autumn","source":"', campaign.1, '","medium":"', campaign.2, '"}')),
        ',"locale":"', place.2, '","timezone":"', place.3, '","screen":{"width":', toString(device.8), ',"height":',
        toString(device.9), ',"density":2},"library":{"name":"motherlode.js","version":"1.0.0"},"userAgent":"Mozilla/5.0 (',
        device.6, ' ', device.7, ') AppleWebKit/605.1.15 (KHTML, like Gecko) ', device.4, '/', device.5,
        '","ip":"203.0.113.0","sessionId":"', lower(hex(of_session)), '"},"timestamp":"', at, '","originalTimestamp":"', at,
        '","sentAt":"', at, '","receivedAt":"', replaceOne(toString(received), ' ', 'T'), 'Z","source":"shop"',
        ',"request":{"bot":', if(intDiv(of_visitor, 1000) % 50 = 0, 'true', 'false'), ',"country":"', place.1,
        '","referrer":"https://shop.example.com/","browser":{"name":"', device.4, '","version":"', device.5,
        '"},"os":{"name":"', device.6, '","version":"', device.7, '"},"device":{"type":"', device.1, '","brand":"',
        device.2, '","model":"', device.3, '"}}}') AS event,
    'clickstream' AS _topic,
    toInt32(visitor % 12) AS _partition,
    toInt64(n) AS _offset,
    visitor_id AS _key,
    received AS _timestamp,
    map() AS _headers,
    1 AS _config_version,
    now64(3, 'UTC') AS _loaded_at
FROM texts
