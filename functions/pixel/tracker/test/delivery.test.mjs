// How events get to the server: each once, whatever happens in between.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Browser, settle } from './browser.mjs';

const names = (events) => events.map((event) => event.event || event.type);
const quiet = { auto: '' };
const track = (page, ...events) => events.forEach((event) => page.call('track', event));

test('twenty events go at once, fewer after a second', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}, {}], data: quiet });
  for (let n = 0; n < 19; n++) track(page, `E${n}`);
  await browser.pass(0);
  assert.equal(page.requests.length, 0);
  track(page, 'E19');
  await browser.pass(0);
  assert.equal(page.requests.length, 1);
  track(page, 'E20');
  await browser.pass(999);
  assert.equal(page.requests.length, 1);
  await browser.pass(1);
  assert.deepEqual(page.requests.map(({ batch }) => batch.length), [20, 1]);
  assert.deepEqual(browser.stored(), []);
});

test('an answer of 2xx empties the queue; rejected events are named', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{ success: true, rejected: [{ index: 1, messageId: 'x', reason: 'too large' }] }], data: quiet });
  track(page, 'A', 'B');
  assert.deepEqual(names(browser.stored()), ['A', 'B']);
  await browser.pass(60000);
  assert.equal(page.requests.length, 1);
  assert.deepEqual(browser.stored(), []);
  assert.deepEqual(page.warnings, ['motherlode: rejected x too large']);
});

for (const status of [400, 401, 404, 413]) {
  test(`${status} drops the events and says so`, async () => {
    const browser = new Browser();
    const page = await browser.open({ answers: [{ status }, {}], data: quiet });
    track(page, 'A');
    await browser.pass(60000);
    assert.deepEqual(browser.stored(), []);
    assert.deepEqual(page.warnings, [`motherlode: 1 events refused: ${status}`]);
    track(page, 'B');
    await browser.pass(1000);
    assert.deepEqual(names(page.requests[1].batch), ['B']);
  });
}

for (const answer of ['offline', { status: 408 }, { status: 429 }, { status: 500 }, { status: 503 }, { status: 302 }]) {
  test(`${JSON.stringify(answer)} is tried again, with the same ids`, async () => {
    const browser = new Browser();
    const page = await browser.open({ answers: [answer, answer, {}], data: quiet });
    track(page, 'A');
    await browser.pass(20000);
    assert.equal(page.requests.length, 3);
    assert.equal(new Set(page.sent().map((event) => event.messageId)).size, 1);
    assert.equal(new Set(page.requests.map(({ sentAt }) => sentAt)).size, 3);
    assert.deepEqual(browser.stored(), []);
  });
}

test('waits grow to a minute, with jitter', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: Array(9).fill('offline').concat({}), data: quiet });
  track(page, 'A');
  await browser.pass(1000000);
  const times = page.requests.map(({ sentAt }) => Date.parse(sentAt));
  times.slice(1).forEach((time, n) => {
    const least = Math.min(1000 * 2 ** n, 60000);
    const wait = time - times[n];
    assert.ok(wait >= least && wait <= least * 1.5 + 1, `wait ${n} was ${wait}`);
  });
  assert.ok(times.slice(1).some((time, n) => (time - times[n]) % 1000 > 1));
});

test('Retry-After is honoured, by new events and by a network that comes back too', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{ status: 503, retryAfter: '120' }, {}], data: quiet });
  track(page, 'A');
  await browser.pass(1000);
  for (let n = 0; n < 30; n++) track(page, `E${n}`);
  page.window.fire('online');
  await browser.pass(119000);
  assert.equal(page.requests.length, 1);
  await browser.pass(70000);
  assert.equal(page.requests.length, 2);
  assert.equal(page.requests[1].batch.length, 31);
});

test('a network that comes back is used at once', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: Array(6).fill('offline').concat({}), data: quiet });
  track(page, 'A');
  await browser.pass(50000);
  const before = page.requests.length;
  page.window.fire('online');
  await browser.pass(0);
  assert.equal(page.requests.length, before + 1);
});

test('a request that hangs is given up after thirty seconds and tried again', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: ['never', {}], data: quiet });
  track(page, 'A');
  await browser.pass(30999);
  assert.equal(page.requests.length, 1);
  await browser.pass(2000);
  assert.equal(page.requests.length, 2);
  assert.deepEqual(browser.stored(), []);
});

test('one request at a time; what comes meanwhile goes with the next', async () => {
  const browser = new Browser();
  let answer;
  const page = await browser.open({ answers: [new Promise((done) => { answer = done; }), {}], data: quiet });
  track(page, 'A');
  await browser.pass(1000);
  track(page, 'B');
  await browser.pass(5000);
  assert.equal(page.requests.length, 1);
  answer({});
  await settle();
  await browser.pass(1000);
  assert.deepEqual(page.requests.map(({ batch }) => names(batch)), [['A'], ['B']]);
});

test('events of a page that is killed go with the next page, once', async () => {
  const browser = new Browser();
  const first = await browser.open({ answers: ['offline'], data: quiet });
  track(first, 'A', 'B');
  await browser.pass(1000);
  first.kill();
  const second = await browser.open({ answers: [{}], data: quiet });
  track(second, 'C');
  await browser.pass(120000);
  assert.deepEqual(names(second.sent()), ['A', 'B', 'C']);
  assert.deepEqual(second.sent().slice(0, 2), first.sent());
  assert.deepEqual(browser.stored(), []);
});

test('living pages leave each other alone, and only one takes over', async () => {
  const browser = new Browser();
  const dying = await browser.open({ answers: Array(20).fill('offline'), data: quiet });
  const living = [];
  for (let n = 0; n < 3; n++) living.push(await browser.open({ answers: [{}, {}], data: quiet }));
  track(dying, 'A', 'B');
  await browser.pass(200000);
  assert.deepEqual(living.flatMap((page) => page.sent()), []);
  dying.kill();
  await browser.pass(61000);
  assert.deepEqual(names(living.flatMap((page) => page.sent())), ['A', 'B']);
  assert.deepEqual(browser.stored(), []);
});

test('without Web Locks a lease of five minutes says who is alive', async () => {
  const browser = new Browser({ withLocks: false });
  const dying = await browser.open({ answers: Array(20).fill('offline'), data: quiet });
  const living = await browser.open({ answers: [{}], data: quiet });
  track(dying, 'A');
  await browser.pass(900000);
  assert.deepEqual(living.sent(), []);
  dying.kill();
  await browser.pass(240000);
  assert.deepEqual(living.sent(), []);
  await browser.pass(180000);
  assert.deepEqual(names(living.sent()), ['A']);
  assert.deepEqual(browser.stored(), []);
});

test('without Web Locks a page that says it leaves is taken over at once', async () => {
  const browser = new Browser({ withLocks: false });
  const first = await browser.open({ answers: ['offline'], data: quiet });
  track(first, 'A');
  await browser.pass(1000);
  await first.leave();
  const second = await browser.open({ answers: [{}], data: quiet });
  await browser.pass(1000);
  assert.deepEqual(names(second.sent()), ['A']);
});

test('leaving the page sends what waits as a beacon', async () => {
  const browser = new Browser();
  const page = await browser.open({ data: quiet });
  track(page, 'A', 'B');
  await page.leave();
  assert.deepEqual(page.beacons.map(({ to, batch }) => [to, names(batch)]), [['https://pixel.example.com/e?k=KEY', ['A', 'B']]]);
  assert.ok(page.beacons[0].sentAt);
  assert.deepEqual(browser.stored(), []);
});

test('beacons stay under 64 KB, and what one refuses is kept', async () => {
  const browser = new Browser();
  let room = 65536;
  const beacon = (body) => {
    const size = new Blob([body]).size;
    if (size > room) return false;
    room -= size;
    return true;
  };
  const page = await browser.open({ data: quiet, beacon });
  const sizes = [9000, 9000, 9000, 9000, 9000, 9000, 9000, 9000];
  sizes.forEach((size, n) => page.call('track', `E${n}`, { text: '\u00e4'.repeat(size / 2) }));
  await page.leave();
  assert.equal(page.beacons.length, 1);
  assert.ok(new Blob([page.beacons[0].text]).size < 64000);
  const next = await browser.open({ answers: [{}, {}], data: quiet });
  await browser.pass(1000);
  assert.deepEqual([...names(page.sent()), ...names(next.sent())], sizes.map((_, n) => `E${n}`));
  assert.deepEqual(browser.stored(), []);
});

test('while the server fails or the network is away, nothing is trusted to a beacon', async () => {
  for (const navigator of [{}, { onLine: false }]) {
    const browser = new Browser();
    const page = await browser.open({ answers: [{ status: 503, retryAfter: '60' }], data: quiet, navigator });
    track(page, 'A');
    if (!('onLine' in navigator)) await browser.pass(1000);
    await page.leave();
    assert.deepEqual(page.beacons, []);
    const next = await browser.open({ answers: [{}], data: quiet });
    await browser.pass(1000);
    assert.deepEqual(names(next.sent()), ['A']);
  }
});

test('a request under way when the page is left is not sent as a beacon too, and is kept until answered', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: ['never'], data: quiet });
  track(page, 'A');
  await browser.pass(1000);
  track(page, 'B');
  await page.leave();
  assert.deepEqual(page.beacons.map(({ batch }) => names(batch)), [['B']]);
  assert.deepEqual(names(browser.stored()), ['A']);
});

test('a hidden page goes on', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}], data: quiet });
  track(page, 'A');
  page.document.visibilityState = 'hidden';
  page.document.fire('visibilitychange');
  track(page, 'B');
  await browser.pass(1000);
  assert.deepEqual([names(page.beacons[0].batch), names(page.requests[0].batch)], [['A'], ['B']]);
});

test('a page that comes back from the back-forward cache goes on, without what others took over', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: ['offline', {}], data: quiet });
  track(page, 'A');
  await browser.pass(1000);
  page.window.fire('pagehide', { persisted: true });
  await settle();
  const other = await browser.open({ answers: [{}], data: quiet });
  await browser.pass(1000);
  assert.deepEqual(names(other.sent()), ['A']);
  page.window.fire('pageshow', { persisted: true });
  await settle();
  track(page, 'B');
  await browser.pass(10000);
  assert.deepEqual(names(page.requests.at(-1).batch), ['B']);
  assert.deepEqual(browser.stored(), []);
});

test('the queue keeps the newest 500 events', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: Array(3).fill('offline').concat(Array(40).fill({})), data: quiet });
  track(page, 'E0');
  await browser.pass(1000);
  for (let n = 1; n <= 510; n++) track(page, `E${n}`);
  assert.equal(browser.stored().length, 500);
  assert.equal(browser.stored()[0].event, 'E11');
  assert.equal(page.warnings.length, 11);
  await browser.pass(100000);
  assert.deepEqual(browser.stored(), []);
  assert.equal(new Set(page.sent().map((event) => event.messageId)).size, 501);
});

test('the queue keeps a million characters at most', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: ['offline'], data: quiet });
  track(page, 'E');
  await browser.pass(1000);
  for (let n = 0; n < 60; n++) page.call('track', `E${n}`, { text: 'x'.repeat(30000) });
  assert.equal(browser.stored().length, 32);
  assert.equal(browser.stored().at(-1).event, 'E59');
});

test('storage that is full costs nothing but the memory of other pages', async () => {
  const browser = new Browser({ quota: 100 });
  const page = await browser.open({ answers: ['offline', {}], data: quiet });
  track(page, 'A', 'B');
  await browser.pass(5000);
  assert.deepEqual(names(page.requests[1].batch), ['A', 'B']);
  assert.deepEqual(page.warnings, []);
});
