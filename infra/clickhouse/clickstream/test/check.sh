#!/usr/bin/env bash
# Checks the tables of the clickstream lane on a real server that has no database `clickstream` yet:
#   check.sh http://HOST:PORT USER:PASSWORD [ROWS]
# Makes everything, sends the same tokens twice, events that are broken in every way, copies of events,
# and generated ones (ROWS, a million unless told), compares answers, and drops the database again.
set -euo pipefail

url=${1:?URL of the server}
user=${2:?USER:PASSWORD}
rows=${3:-1000000}
here=$(cd "$(dirname "$0")/.." && pwd)
answer=$(mktemp)
trap 'rm -f "$answer" "$answer.headers"' EXIT
failed=0

# ask SQL [PARAMETERS]: the answer of the server; its error ends the script.
ask() {
    if ! printf '%s' "$1" | curl -sS --fail-with-body -D "$answer.headers" -u "$user" "$url/?wait_end_of_query=1&${2:-}" \
        --data-binary @- >"$answer"; then
        echo "the server refused:" >&2
        cat "$answer" >&2
        exit 1
    fi
    cat "$answer"
}

# same WHAT EXPECTED GOT
same() {
    if [ "$2" = "$3" ]; then
        echo "ok    $1"
    else
        printf 'WRONG %s\n--- expected\n%s\n--- got\n%s\n' "$1" "$2" "$3"
        failed=1
    fi
}

# read_by: milliseconds, rows and bytes of the last question
read_by() {
    sed -n 's/^X-ClickHouse-Summary: //Ip' "$answer.headers" | tail -1 |
        sed -E 's/.*"read_rows":"([0-9]+)","read_bytes":"([0-9]+)".*"elapsed_ns":"([0-9]+)".*/\3 \1 \2/' |
        awk '{ printf "%8.1f ms  %9d rows  %11d bytes", $1 / 1e6, $2, $3 }'
}

insert="INSERT INTO clickstream.raw_events (event, _topic, _partition, _offset, _key, _timestamp, _config_version, _loaded_at) FORMAT JSONEachRow"

# record OFFSET EVENT [DAY]: a line for the insert above; the event is any text.
record() {
    python3 -c 'import json,sys; print(json.dumps({"event": sys.argv[2], "_topic": "t", "_partition": 0, "_offset": int(sys.argv[1]), "_key": "k", "_timestamp": sys.argv[3] + " 10:00:00.000", "_config_version": 1, "_loaded_at": "2026-11-20 10:00:01.000"}))' "$1" "$2" "${3:-2026-11-20}"
}

counts="SELECT (SELECT count() FROM clickstream.raw_events), (SELECT count() FROM clickstream.events), (SELECT count() FROM clickstream.events_by_user), (SELECT count() FROM clickstream.session_facts)"
steps='%5B%27Product%20Viewed%27,%27Product%20Added%27,%27Checkout%20Started%27,%27Order%20Completed%27%5D'

[ "$(ask "SELECT count() FROM system.databases WHERE name = 'clickstream'")" = 0 ] || {
    echo "the server has a database clickstream already; take one without" >&2
    exit 1
}
for twice in 1 2; do
    for file in "$here"/[0-9]*.sql; do ask "$(cat "$file")" >/dev/null; done
done
echo "ok    every file runs, and runs again"

# --- tokens ---
event() { # ID NAME TIME RECEIVED
    printf '{"type":"track","event":"%s","messageId":"%s","anonymousId":"a1","context":{"sessionId":"s1","page":{"path":"/x"}},"properties":{"order_id":"o1","revenue":24.99},"timestamp":"%s","originalTimestamp":"2026-11-20T09:00:00.000Z","receivedAt":"%s","source":"shop"}' "$2" "$1" "$3" "$4"
}
body="$insert
$(record 1 "$(event m1 'Order Completed' 2026-11-20T10:00:00.000Z 2026-11-20T10:00:00.100Z)")
$(record 2 "$(event m2 'Product Viewed' 2026-11-20T09:59:00.000Z 2026-11-20T10:00:00.100Z)")"
token="insert_deduplication_token=check-1&insert_deduplicate=1&deduplicate_blocks_in_dependent_materialized_views=1"
ask "SYSTEM STOP MERGES" >/dev/null
for again in 1 2 3; do ask "$body" "$token"; done
same "one token three times: one copy in raw and in every target, without FINAL" "2	2	2	1" "$(ask "$counts")"
ask "$body" "${token/check-1/check-2}"
same "another token: another copy" "4	4	4	2" "$(ask "$counts")"

# --- copies of an event ---
ask "$insert
$(record 9 "$(event m1 'Order Completed' 2026-11-20T10:00:00.007Z 2026-11-20T10:00:03.000Z)")"
current="SELECT event_id, toString(time), _offset FROM clickstream.events_VIEW ORDER BY event_id"
expected="m1	2026-11-20 10:00:00.007	9
m2	2026-11-20 09:59:00.000	2"
same "events_current: the latest copy, once" "$expected" "$(ask "${current/_VIEW/_current}")"
same "events_latest: the latest copy, once" "$expected" "$(ask "${current/_VIEW/_latest}")"
range="from='2026-11-20 00:00:00', to='2026-11-21 00:00:00'"
same "sessions: copies do not count" "a1	s1	2	60	1	24.99" \
    "$(ask "SELECT visitor_id, session_id, events, seconds, orders, revenue FROM clickstream.sessions($range)")"
ask "SYSTEM START MERGES" >/dev/null
ask "OPTIMIZE TABLE clickstream.events FINAL" >/dev/null
ask "OPTIMIZE TABLE clickstream.events_by_user FINAL" >/dev/null
same "merges keep the latest copy, though its corrected time differs" "$expected" "$(ask "${current/_VIEW/}")"
ask "OPTIMIZE TABLE clickstream.session_facts FINAL" >/dev/null
same "sessions after merges" "a1	s1	2	60	1	24.99" \
    "$(ask "SELECT visitor_id, session_id, events, seconds, orders, revenue FROM clickstream.sessions($range)")"
# --- copies that the order of `events` cannot tell for the same ---
for millisecond in 100 200; do
    ask "$insert
$(record $millisecond '{"type":"track","event":"No Time","messageId":"n1","anonymousId":"a1","timestamp":"2026-11-20T10:00:00.'$millisecond'Z","receivedAt":"2026-11-20T10:00:00.'$millisecond'Z"}')"
done
same "copies without a time of their own: one by id, two by the order of events" "1	2" \
    "$(ask "SELECT (SELECT count() FROM clickstream.events_latest WHERE name = 'No Time'), (SELECT count() FROM clickstream.events_current WHERE name = 'No Time')")"
for table in raw_events events events_by_user session_facts; do ask "TRUNCATE TABLE clickstream.$table" >/dev/null; done

# --- a token over several partitions ---
months="$insert
$(record 3 "$(event m3 E 2026-10-31T23:59:59.000Z 2026-10-31T23:59:59.900Z)" 2026-10-31)
$(record 4 "$(event m4 E 2026-10-31T23:59:59.500Z 2026-11-01T00:00:00.100Z)" 2026-11-01)"
for again in 1 2; do ask "$months" "${token/check-1/check-3}"; done
same "one token twice over two days and two months: one copy" "2	2	2	2" "$(ask "$counts")"
for table in raw_events events events_by_user session_facts; do ask "TRUNCATE TABLE clickstream.$table" >/dev/null; done

# --- events that are broken ---
good='"type":"track","event":"E","messageId":"MMM","anonymousId":"a","timestamp":"2026-11-20T10:00:00.000Z","originalTimestamp":"2026-11-20T10:00:00.000Z","receivedAt":"2026-11-20T10:00:00.000Z"'
broken=('' 'null' '[1]' '7' '{' '{"type":' 'plain text' '{"type":"track"}x' '{"type":"track","event":"\ud800"}'
    "{${good/MMM/p01},\"properties\":{\"revenue\":1e30,\"price\":\"abc\",\"value\":[1],\"quantity\":\"2\"}}"
    "{${good/MMM/p02},\"properties\":{\"revenue\":-24.99,\"price\":59.970000000000006,\"value\":null,\"quantity\":0.5}}"
    "{${good/MMM/p03},\"properties\":{\"revenue\":12345678901234567890,\"price\":\"nan\",\"value\":\"inf\",\"quantity\":true}}"
    "{${good/MMM/p04},\"properties\":\"text\",\"traits\":7,\"context\":[],\"request\":null}"
    "{${good/MMM/p05},\"context\":{\"screen\":{\"width\":-1,\"height\":99999},\"page\":\"x\",\"campaign\":7}}"
    "{${good/MMM/p06},\"context\":{\"screen\":{\"width\":412.5,\"height\":\"915\"},\"page\":{\"url\":\"::::\",\"path\":7}}}"
    "{\"type\":\"track\",\"messageId\":\"t01\",\"anonymousId\":\"a\",\"event\":\"E\",\"timestamp\":\"2026-02-30T10:00:00.000Z\",\"originalTimestamp\":\"yesterday\",\"receivedAt\":\"9999-12-31T10:00:00.000Z\"}"
    "{\"type\":\"track\",\"messageId\":\"t02\",\"userId\":\"u\",\"event\":\"E\",\"timestamp\":\"1650-01-01T10:00:00.000Z\",\"originalTimestamp\":\"2026-11-20T10:00:00+01:00\",\"receivedAt\":\"2026-11-20T10:00:00.500Z\"}"
    "{\"type\":\"page\",\"name\":\"Home\",\"timestamp\":\"2026-11-20T10:00:00.000Z\",\"receivedAt\":\"2026-11-20T10:00:00.000Z\"}"
    '{"type":"page","messageId":"g01","userId":"u","properties":{"path":"/docs","url":"https://docs.example.com/docs","title":"Docs"},"timestamp":"2026-11-20T10:00:00.000Z","receivedAt":"2026-11-20T10:00:00.000Z"}'
    "{\"type\":7,\"event\":{},\"messageId\":[],\"timestamp\":1.5}")
lines=$insert
offset=0
for text in "${broken[@]}"; do
    offset=$((offset + 1))
    lines="$lines
$(record $offset "$text")"
done
ask "$lines" >/dev/null
same "broken events: each is a row of raw and of events" "${#broken[@]}	${#broken[@]}" \
    "$(ask "SELECT (SELECT count() FROM clickstream.raw_events), (SELECT count() FROM clickstream.events)")"
same "what cannot be read at all has no name, its place as id, and the record's time" "t/0/1,t/0/2,t/0/3,t/0/4,t/0/5,t/0/6,t/0/7,t/0/8,t/0/9	2026-11-20 10:00:00.000" \
    "$(ask "SELECT arrayStringConcat(arraySort(groupArray(event_id)), ','), toString(any(time)) FROM clickstream.events WHERE name = '' AND has(problems, 'event') AND _offset < 10")"
same "amounts" "p01	\\N	\\N	\\N	2	['revenue','value','price']
p02	-24.99	59.97	\\N	0.5	[]
p03	\\N	\\N	\\N	\\N	['revenue','value','price','quantity']" \
    "$(ask "SELECT event_id, revenue, price, value, quantity, problems FROM clickstream.events WHERE event_id LIKE 'p0%' AND event_id < 'p04' ORDER BY event_id")"
same "screens" "p05	\\N	\\N
p06	412	915" \
    "$(ask "SELECT event_id, screen_width, screen_height FROM clickstream.events WHERE event_id IN ('p05', 'p06') ORDER BY event_id")"
same "times" "t01	2026-11-20 10:00:00.000	2026-11-20 10:00:00.000	['timestamp','originalTimestamp','receivedAt']
t02	2026-11-20 10:00:00.500	2026-11-20 10:00:00.500	['timestamp','originalTimestamp']" \
    "$(ask "SELECT event_id, toString(time), toString(original_time), problems FROM clickstream.events WHERE event_id LIKE 't0%' ORDER BY event_id")"
same "a page without ids" "Page	Home	['messageId','anonymousId']" \
    "$(ask "SELECT name, page_name, problems FROM clickstream.events WHERE event_id NOT LIKE 'g%' AND type = 'page'")"
same "a page of a server's SDK" "/docs	docs.example.com	Docs	u	[]" \
    "$(ask "SELECT path, host, title, visitor_id, problems FROM clickstream.events WHERE event_id = 'g01'")"

# Two hundred invented years in one INSERT must not have it refused.
ask "INSERT INTO clickstream.raw_events (event, _topic, _offset, _timestamp) SELECT
    format('{{\"type\":\"track\",\"event\":\"Y\",\"messageId\":\"y{0}\",\"anonymousId\":\"a\",\"context\":{{\"sessionId\":\"y\"}},\"timestamp\":\"{0}-06-01T00:00:00.000Z\",\"originalTimestamp\":\"{0}-06-01T00:00:00.000Z\",\"receivedAt\":\"2026-11-20T10:00:00.000Z\"}}', toString(1900 + number)),
    't', number, '2026-11-20 10:00:00' FROM numbers(200)" >/dev/null
same "two hundred years in one INSERT" 200 "$(ask "SELECT count() FROM clickstream.events WHERE name = 'Y'")"
for table in raw_events events events_by_user session_facts; do ask "TRUNCATE TABLE clickstream.$table" >/dev/null; done

# --- funnels over generated events ---
generated="param_seed=1&param_from=2026-10-01%2000:00:00&param_to=2026-10-31%2000:00:00&max_partitions_per_insert_block=0&param_rows=$rows"
ask "$(cat "$here/queries/generate.sql")" "$generated" >/dev/null
same "generated: every row once in raw, events and events_by_user" "$rows	$rows	$rows" \
    "$(ask "SELECT (SELECT uniqExact(JSONExtractString(event, 'messageId')) FROM clickstream.raw_events), (SELECT uniqExact(event_id) FROM clickstream.events), (SELECT uniqExact(event_id) FROM clickstream.events_by_user)")"
same "generated: nothing has a problem" 0 "$(ask "SELECT count() FROM clickstream.events WHERE notEmpty(problems)")"
sessions="from='2026-09-01 00:00:00', to='2026-12-01 00:00:00'"
same "generated: sessions hold all events, and the revenue of raw" "$(ask "SELECT uniqExact(session_id), count(), sumIf(toDecimal64(assumeNotNull(revenue), 4), name = 'Order Completed') FROM clickstream.events")" \
    "$(ask "SELECT count(), sum(events), sum(revenue) FROM clickstream.sessions($sessions)")"
for window in 600 86400; do
    for week in 2026-10-08,2026-10-15 2026-09-01,2026-12-01; do
        parameters="param_steps=$steps&param_window=$window&param_from=${week%,*}%2000:00:00&param_to=${week#*,}%2000:00:00&max_threads=1"
        for table in raw events events_by_user; do
            ask "$(cat "$here/queries/funnel_$table.sql")" "$parameters" >/dev/null # warms the cache
            declare "funnel_$table=$(ask "$(cat "$here/queries/funnel_$table.sql")" "$parameters")"
            printf '      %-14s %s\n' "$table" "$(read_by)"
        done
        same "funnel within $window s, $week: events as raw" "$funnel_raw" "$funnel_events"
        same "funnel within $window s, $week: events_by_user as raw" "$funnel_raw" "$funnel_events_by_user"
        same "funnel within $window s, $week: the view" "$funnel_raw" \
            "$(ask "SELECT step, name, visitors FROM clickstream.funnel(steps = ['Product Viewed', 'Product Added', 'Checkout Started', 'Order Completed'], window = $window, from = '${week%,*} 00:00:00', to = '${week#*,} 00:00:00', breakdown = 'everything')")"
    done
done
same "funnel by device: its parts add up" "$(printf '%s\n' "$funnel_raw" | cut -f 1,3)" \
    "$(ask "SELECT step, sum(visitors) FROM clickstream.funnel(steps = ['Product Viewed', 'Product Added', 'Checkout Started', 'Order Completed'], window = 86400, from = '2026-09-01 00:00:00', to = '2026-12-01 00:00:00', breakdown = 'device_type') GROUP BY step ORDER BY step")"

ask "DROP DATABASE clickstream" >/dev/null
if [ "$failed" = 0 ]; then echo "all checks hold"; else echo "some checks do not hold" >&2; fi
exit "$failed"
