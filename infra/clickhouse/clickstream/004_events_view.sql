-- Types a raw event in one JSONExtract for the event and one for its properties, which are kept as
-- text too. One raw row gives one row of events, whatever it holds: what cannot be read is empty or
-- NULL and named in `problems`, and an event that is no JSON at all has the name '' and its place as
-- its id. Nothing here throws, for that would stop the whole INSERT: mind that JSONExtract itself
-- throws for a Decimal that overflows, so amounts are taken as text.
CREATE MATERIALIZED VIEW IF NOT EXISTS clickstream.events_view TO clickstream.events AS
WITH
    JSONExtract(event, 'Tuple(
        type String, event String, name String, messageId String,
        anonymousId String, userId String, groupId String, previousId String,
        timestamp String, originalTimestamp String, receivedAt String, source String,
        properties String, traits String,
        context Tuple(
            page Tuple(path String, referrer String, search String, title String, url String),
            campaign Tuple(name String, source String, medium String, term String, content String),
            screen Tuple(width Nullable(Float64), height Nullable(Float64)),
            library Tuple(name String, version String),
            locale String, timezone String, ip String, sessionId String),
        request Tuple(
            bot Bool, country String,
            browser Tuple(name String, version String),
            os Tuple(name String, version String),
            device Tuple(type String, brand String, model String)))') AS e,
    JSONExtract(e.properties, 'Tuple(
        order_id String, product_id String, currency String,
        revenue String, value String, price String, quantity String,
        path String, url String, search String, title String, referrer String)') AS p,
    -- Servers have no context.page: Segment's SDKs put it into the properties of a page event.
    ((of_context, of_properties) -> if(of_context = '' AND e.type = 'page', of_properties, of_context)) AS page_fact,
    '%Y-%m-%dT%H:%i:%s.%fZ' AS form,
    -- A Date has no other years.
    (t -> if(t >= toDateTime64('1971-01-01 00:00:00', 3, 'UTC') AND t < toDateTime64('2105-01-01 00:00:00', 3, 'UTC'), t, NULL)) AS sane,
    sane(parseDateTime64OrNull(e.timestamp, form, 'UTC')) AS corrected,
    sane(parseDateTime64OrNull(e.originalTimestamp, form, 'UTC')) AS original,
    sane(parseDateTime64OrNull(e.receivedAt, form, 'UTC')) AS received,
    -- Through text: the cast from a float cuts 24.99 to 24.9899.
    (text -> toDecimal64OrNull(toString(round(toFloat64OrNull(text), 4)), 4)) AS amount
SELECT
    if(e.messageId != '', e.messageId, concat(_topic, '/', toString(_partition), '/', toString(_offset))) AS event_id,
    e.source AS source,
    e.type AS type,
    multiIf(e.type = 'track', e.event, e.type IN ('page', 'screen', 'identify', 'group', 'alias'), initcap(e.type), '') AS name,
    if(e.type IN ('page', 'screen'), e.name, '') AS page_name,

    coalesce(corrected, received, _timestamp) AS time,
    coalesce(original, corrected, received, _timestamp) AS original_time,
    coalesce(received, _timestamp) AS received_at,

    if(e.anonymousId != '', e.anonymousId, e.userId) AS visitor_id,
    e.anonymousId AS anonymous_id,
    e.userId AS user_id,
    e.context.sessionId AS session_id,
    e.groupId AS group_id,
    e.previousId AS previous_id,

    page_fact(e.context.page.path, p.path) AS path,
    page_fact(e.context.page.url, p.url) AS url,
    domain(url) AS host,
    page_fact(e.context.page.search, p.search) AS search,
    page_fact(e.context.page.title, p.title) AS title,
    page_fact(e.context.page.referrer, p.referrer) AS referrer,
    domain(referrer) AS referrer_host,

    e.context.campaign.name AS campaign_name,
    e.context.campaign.source AS campaign_source,
    e.context.campaign.medium AS campaign_medium,
    e.context.campaign.term AS campaign_term,
    e.context.campaign.content AS campaign_content,

    e.request.device.type AS device_type,
    e.request.device.brand AS device_brand,
    e.request.device.model AS device_model,
    e.request.browser.name AS browser,
    e.request.browser.version AS browser_version,
    e.request.os.name AS os,
    e.request.os.version AS os_version,
    accurateCastOrNull(round(e.context.screen.width), 'UInt16') AS screen_width,
    accurateCastOrNull(round(e.context.screen.height), 'UInt16') AS screen_height,
    e.context.locale AS locale,
    e.context.timezone AS timezone,
    e.request.country AS country,
    e.context.ip AS ip,
    e.request.bot AS bot,
    e.context.library.name AS library,
    e.context.library.version AS library_version,

    p.order_id AS order_id,
    p.product_id AS product_id,
    p.currency AS currency,
    amount(p.revenue) AS revenue,
    amount(p.value) AS value,
    amount(p.price) AS price,
    amount(p.quantity) AS quantity,

    e.properties AS properties,
    e.traits AS traits,

    arrayFilter(problem -> problem != '', [
        if(e.type IN ('track', 'page', 'screen', 'identify', 'group', 'alias'), '', 'event'),
        if(e.type = 'track' AND e.event = '', 'name', ''),
        if(e.type != '' AND e.messageId = '', 'messageId', ''),
        if(e.type != '' AND visitor_id = '', 'anonymousId', ''),
        if(e.type != '' AND corrected IS NULL, 'timestamp', ''),
        if(e.originalTimestamp != '' AND original IS NULL, 'originalTimestamp', ''),
        if(e.type != '' AND received IS NULL, 'receivedAt', ''),
        if(p.revenue != '' AND revenue IS NULL, 'revenue', ''),
        if(p.value != '' AND value IS NULL, 'value', ''),
        if(p.price != '' AND price IS NULL, 'price', ''),
        if(p.quantity != '' AND quantity IS NULL, 'quantity', '')
    ]) AS problems,

    _topic,
    _partition,
    _offset,
    toUInt64(toUnixTimestamp64Milli(received_at)) AS version
FROM clickstream.raw_events
