// What the tracker makes of a page.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';

import { Browser, Element, settle } from './browser.mjs';

const names = (page) => page.sent().map((event) => event.event || event.type);
const click = (page, target) => page.document.fire('click', { target });

test('the file is under 4,096 bytes after gzip -9', () => {
  const size = gzipSync(readFileSync(new URL('../pixel.js', import.meta.url)), { level: 9 }).length;
  assert.ok(size < 4096, `${size} bytes`);
});

test('a page view says where, from where and by which campaign', async () => {
  const browser = new Browser();
  const page = await browser.open({
    answers: [{}], referrer: 'https://www.example.org/',
    url: 'https://shop.example.com/sale?utm_source=news&utm_medium=email&utm_campaign=autumn&utm_term=a&utm_content=b&utm_id=7&q=x#top',
  });
  await browser.pass(1000);
  assert.equal(page.requests.length, 1);
  const [request] = page.requests;
  assert.equal(request.to, 'https://pixel.example.com/e?k=KEY');
  assert.equal(request.method, 'POST');
  // The cookie goes along, the page may go, and no header asks for a preflight.
  assert.deepEqual(request.how, { keepalive: true, credentials: 'include' });
  assert.equal(request.sentAt, '2026-11-20T10:00:01.000Z');
  const [{ messageId, anonymousId, context, ...event }] = request.batch;
  assert.match(messageId, /^[0-9a-f]{32}$/);
  assert.match(anonymousId, /^[0-9a-f]{32}$/);
  assert.deepEqual(event, { type: 'page', timestamp: '2026-11-20T10:00:00.000Z' });
  const { sessionId, timezone, ...rest } = context;
  assert.match(sessionId, /^[0-9a-f]{32}$/);
  assert.equal(typeof timezone, 'string');
  assert.deepEqual(rest, {
    page: {
      path: '/sale', referrer: 'https://www.example.org/', title: 'Shop',
      search: '?utm_source=news&utm_medium=email&utm_campaign=autumn&utm_term=a&utm_content=b&utm_id=7&q=x',
      url: 'https://shop.example.com/sale?utm_source=news&utm_medium=email&utm_campaign=autumn&utm_term=a&utm_content=b&utm_id=7&q=x#top',
    },
    campaign: { source: 'news', medium: 'email', name: 'autumn', term: 'a', content: 'b' },
    locale: 'de-DE', screen: { width: 1280, height: 720, density: 2 },
    library: { name: 'motherlode.js', version: '1.0.0' },
  });
});

test('calls made before the file came are kept, in order', async () => {
  const browser = new Browser();
  const page = await browser.open({
    answers: [{}],
    before(window) {
      const stub = (...args) => { (stub.q = stub.q || []).push(args); };
      window.motherlode = stub;
      stub('identify', 'u1', { plan: 'free' });
      stub('track', 'Early', { n: 1 });
    },
  });
  page.call('track', 'Late');
  await browser.pass(1000);
  assert.deepEqual(names(page), ['page', 'identify', 'Early', 'Late']);
  const [, identify, early] = page.sent();
  assert.equal(identify.userId, 'u1');
  assert.deepEqual(identify.traits, { plan: 'free' });
  assert.equal(early.userId, 'u1');
  assert.deepEqual(early.properties, { n: 1 });
});

test('who somebody is outlives the page, and reset forgets it', async () => {
  const browser = new Browser();
  const first = await browser.open({ answers: [{}] });
  first.call('identify', 7);
  first.call('group', 'g1', { seats: 3 });
  first.call('identify', { plan: 'paid' });
  await browser.pass(1000);
  await first.leave();
  const second = await browser.open({ answers: [{}] });
  second.call('alias', 'u8');
  second.call('track', 'After');
  second.call('reset');
  second.call('track', 'Anonymous');
  await browser.pass(1000);
  const [view, identify, group, traits] = first.sent();
  assert.equal(view.userId, undefined);
  assert.equal(identify.userId, '7');
  assert.deepEqual([group.groupId, group.traits, group.userId], ['g1', { seats: 3 }, '7']);
  assert.deepEqual([traits.userId, traits.traits], ['7', { plan: 'paid' }]);
  const [again, alias, after, anonymous] = second.sent();
  assert.deepEqual([again.userId, again.anonymousId], ['7', view.anonymousId]);
  assert.deepEqual([alias.userId, alias.previousId], ['u8', '7']);
  assert.equal(after.userId, 'u8');
  assert.equal(anonymous.userId, undefined);
  assert.notEqual(anonymous.anonymousId, view.anonymousId);
  assert.notEqual(anonymous.context.sessionId, after.context.sessionId);
});

test('a session ends after thirty minutes without an event', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}, {}, {}] });
  const [a, b, c] = [29, 29, 31].map((minutes) => async () => {
    await browser.pass(minutes * 60000);
    page.call('track', 'E');
    await browser.pass(1000);
  });
  page.answers.push({});
  await a(); await b(); await c();
  const ids = page.sent().map((event) => event.context.sessionId);
  assert.equal(ids.length, 4);
  assert.equal(new Set(ids.slice(0, 3)).size, 1);
  assert.notEqual(ids[3], ids[2]);
});

test('clicks on elements with data-event, and on what is inside them', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}], data: { auto: 'clicks' } });
  const button = new Element('BUTTON', { 'data-event': 'Product Added', 'data-event-product-id': 'P-1', 'data-event-price': '9.99', class: 'x' });
  click(page, new Element('SPAN', {}, button));
  click(page, new Element('SPAN'));
  click(page, new Element('INPUT', {}, new Element('FORM', { 'data-event': 'Signed Up' })));
  click(page, { nodeType: 9 });
  await browser.pass(1000);
  assert.deepEqual(page.sent().map(({ event, properties }) => [event, properties]), [['Product Added', { product_id: 'P-1', price: '9.99' }]]);
});

test('a submitted form says which, never what is in it', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}], data: { auto: 'forms' } });
  const form = new Element('FORM', { id: 'login', name: 'login', action: '/login?token=secret' });
  // A field named `id` hides the form's own.
  form.id = new Element('INPUT', { value: 'secret' });
  form.elements = [form.id];
  page.document.fire('submit', { target: form });
  page.document.fire('submit', { target: new Element('FORM', { 'data-event': 'Signed Up', 'data-event-plan': 'free' }) });
  await browser.pass(1000);
  assert.deepEqual(page.sent().map(({ event, properties }) => [event, properties]), [
    ['Form Submitted', { form_id: 'login', form_name: 'login' }],
    ['Signed Up', { plan: 'free' }],
  ]);
  assert.ok(!page.requests[0].text.includes('secret'));
});

test('single-page navigation: a view for each address, not for each change of state', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}] });
  const { history, location } = page.window;
  history.pushState({}, '', '/a');
  page.document.title = 'A';
  await browser.pass(0);
  history.replaceState({ scroll: 7 }, '', '/a');
  history.replaceState({}, '', '/a#part');
  history.pushState({}, '');
  await browser.pass(0);
  location.href = 'https://shop.example.com/';
  page.window.fire('popstate');
  await browser.pass(1000);
  assert.deepEqual(page.sent().map(({ context }) => [context.page.path, context.page.title, context.page.referrer]), [
    ['/', 'Shop', ''],
    ['/a', 'A', 'https://shop.example.com/'],
    ['/', 'A', 'https://shop.example.com/a'],
  ]);
});

test('data-auto chooses what happens by itself', async () => {
  const browser = new Browser();
  const page = await browser.open({ data: { auto: '' } });
  page.window.history.pushState({}, '', '/a');
  click(page, new Element('A', { 'data-event': 'Clicked' }));
  page.document.fire('submit', { target: new Element('FORM') });
  await browser.pass(60000);
  assert.deepEqual(page.sent(), []);
});

for (const navigator of [{ doNotTrack: '1' }, { globalPrivacyControl: true }]) {
  test(`${JSON.stringify(navigator)} is respected when the page says so`, async () => {
    const browser = new Browser();
    const silent = await browser.open({ navigator, data: { respectDnt: '' } });
    silent.call('track', 'E');
    await silent.leave();
    await browser.pass(60000);
    assert.deepEqual(silent.sent(), []);
    assert.deepEqual(Object.keys(browser.storage), [], 'nothing is stored either');
    const told = await browser.open({ navigator, answers: [{}] });
    await browser.pass(1000);
    assert.deepEqual(names(told), ['page']);
  });
}

test('nothing throws into the page', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}] });
  const circular = {};
  circular.self = circular;
  page.call('track', 'Circular', circular);
  page.call('track', 'BigInt', { n: 1n });
  page.call('no such command');
  page.call();
  page.document.fire('submit', {});
  page.call('track', 'Large', { text: 'x'.repeat(33000) });
  page.call('track', 'Fine');
  await browser.pass(1000);
  assert.deepEqual(names(page), ['page', 'Fine']);
  assert.equal(page.warnings.length, 6);
});

test('half a surrogate pair, which is no JSON for others, is replaced', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}], data: { auto: '' } });
  page.call('track', 'E', { text: 'cut \ud83d', whole: '\u{1f600}', slash: '\\ud83d' });
  await browser.pass(1000);
  assert.deepEqual(page.sent()[0].properties, { text: 'cut \ufffd', whole: '\u{1f600}', slash: '\\ud83d' });
});

test('without a key it says so and does nothing', async () => {
  const browser = new Browser();
  const page = await browser.open({ data: { key: undefined } });
  page.call('track', 'E');
  await browser.pass(60000);
  assert.deepEqual(page.sent(), []);
  assert.deepEqual(page.warnings, ['motherlode: data-key is missing']);
});

test('a second copy of the script does nothing', async () => {
  const browser = new Browser();
  const page = await browser.open({ before(window) { window.motherlode = Object.assign(() => {}, { loaded: true }); } });
  await browser.pass(60000);
  assert.deepEqual(page.sent(), []);
});

test('without local storage the page still counts', async () => {
  const browser = new Browser({ withStorage: false });
  const page = await browser.open({ answers: [{}] });
  page.call('identify', 'u1');
  page.call('track', 'E');
  await browser.pass(1000);
  const [view, , event] = page.sent();
  assert.equal(event.userId, 'u1');
  assert.equal(event.anonymousId, view.anonymousId);
  assert.equal(event.context.sessionId, view.context.sessionId);
});

test('a page that is rendered ahead counts when it is shown', async () => {
  const browser = new Browser();
  const page = await browser.open({ answers: [{}], before(window) { window.document.prerendering = true; } });
  await browser.pass(5000);
  assert.deepEqual(page.sent(), []);
  page.document.fire('prerenderingchange');
  await settle();
  await browser.pass(1000);
  assert.deepEqual(names(page), ['page']);
});
