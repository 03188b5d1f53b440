// A scripted visit in headless Chromium. Prints as JSON which events must arrive, each once:
//   {"count": 23, "events": [{"type": "track", "name": "Product Viewed", "messageId": "…"}, …]}
// Names and order are the script's; the ids are noted in the browser as the tracker makes them. It
// ends when the queues of all tabs are empty; what a beacon or an image carries may still be under way.
import { execFileSync, execSync } from 'node:child_process';
import { createServer } from 'node:http';

import { chromium } from 'playwright-core';

import { options } from './options.mjs';

const given = options(
  'visit.mjs --pixel URL --key KEY (--control URL | --down COMMAND --up COMMAND) [--chromium PATH]\n'
    + '  --control  gets POST {"down": true} and {"down": false} for an outage of the pixel; or two commands do that',
  ['pixel', 'key'], ['control', 'down', 'up', 'chromium'],
);
if (!given.control && !(given.down && given.up)) {
  console.error('how is the pixel made to fail? --control URL, or --down COMMAND and --up COMMAND');
  process.exit(2);
}
const outage = async (down) => {
  if (!given.control) return execSync(down ? given.down : given.up, { stdio: ['ignore', 'ignore', 'inherit'] });
  const answer = await fetch(given.control, { method: 'POST', body: JSON.stringify({ down }) });
  if (!answer.ok) throw new Error(`${given.control} answered ${answer.status}`);
};

// --- the site ---
const gifEvent = { type: 'page', name: 'Without Script', messageId: crypto.randomUUID(), anonymousId: crypto.randomUUID(), timestamp: new Date().toISOString() };
const gif = `${given.pixel}/p.gif?k=${encodeURIComponent(given.key)}&d=${encodeURIComponent(JSON.stringify(gifEvent))}`;
const html = `<!doctype html><meta charset="utf-8"><title>Shop</title>
<script>window.motherlode = window.motherlode || function () { (motherlode.q = motherlode.q || []).push(arguments); };
motherlode('track', 'Called Early');</script>
<script async src="${given.pixel}/pixel.js" data-key="${given.key}"></script>
<noscript><img src="${gif.replace(/&/g, '&amp;')}" alt=""></noscript>
<button data-event="Product Added" data-event-product-id="P-1"><b>Buy</b></button>
<form id="newsletter"><input name="email"><button>Go</button></form>
<script>document.forms[0].addEventListener('submit', (event) => event.preventDefault());</script>`;
const site = createServer((request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html', 'Cache-Control': 'no-store' });
  response.end(html);
});
await new Promise((listening) => site.listen(0, '127.0.0.1', listening));
const base = `http://127.0.0.1:${site.address().port}`;

// --- the visit ---
// Not a headless one, which counts as a bot.
const userAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
const browser = await chromium.launch({
  executablePath: given.chromium || execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim(),
  // As an argument: a context's own does not reach the beacon of a page that is left.
  args: ['--no-sandbox', `--user-agent=${userAgent}`],
});
const made = []; // in the browser
const expected = []; // by this script
try {
  const context = await browser.newContext({ locale: 'de-DE', timezoneId: 'Europe/Berlin' });
  // Notes every event at the moment it is made, where a navigation does not lose it.
  await context.addInitScript(() => {
    const stringify = JSON.stringify;
    JSON.stringify = (value, ...rest) => {
      if (value && value.messageId) {
        const { type, event, messageId } = value;
        sessionStorage.made = (sessionStorage.made || '') + stringify({ type, name: event || '', messageId }) + '\n';
      }
      return stringify(value, ...rest);
    };
  });
  const open = async (path) => {
    const tab = await context.newPage();
    tab.on('pageerror', (error) => { throw error; });
    await tab.goto(base + path);
    await tab.waitForFunction(() => window.motherlode.loaded);
    expect('Page', 'Called Early');
    return tab;
  };
  const expect = (...names) => expected.push(...names);
  const track = async (tab, name, properties = {}) => {
    await tab.evaluate(([name, properties]) => window.motherlode('track', name, properties), [name, properties]);
    expect(name);
  };
  const collect = async (tab) => {
    const lines = await tab.evaluate(() => sessionStorage.made || '');
    made.push(...lines.split('\n').filter(Boolean).map((line) => JSON.parse(line)));
  };
  const empty = (tab) => tab.waitForFunction(
    () => !Object.keys(localStorage).some((key) => key.startsWith('motherlode.queue.')), null, { timeout: 90000 });

  // A first tab: clicks, navigation without loading, a form, a login.
  const first = await open('/?utm_source=news&utm_medium=email');
  await track(first, 'Product Viewed', { product_id: 'P-1', price: 24.99, currency: 'EUR' });
  await first.click('button[data-event] b');
  expect('Product Added');
  await first.evaluate(() => { history.pushState({}, '', '/cart'); });
  await first.waitForFunction(() => sessionStorage.made.split('"type":"page"').length === 3);
  expect('Page');
  await first.evaluate(() => history.back());
  await first.waitForFunction(() => sessionStorage.made.split('"type":"page"').length === 4);
  expect('Page');
  await first.fill('input[name=email]', 'somebody@example.com');
  await first.click('form button');
  expect('Form Submitted');
  await first.evaluate(() => window.motherlode('identify', 'user-1', { plan: 'paid' }));
  expect('Identify');
  await empty(first);

  // The pixel fails, and recovers.
  await outage(true);
  const refused = first.waitForResponse((answer) => answer.status() >= 500);
  await track(first, 'Checkout Started');
  await refused;
  await track(first, 'During Outage');
  await outage(false);
  await empty(first);

  // The network fails, and comes back; a second tab lives beside the first.
  const second = await open('/second');
  await context.setOffline(true);
  const failed = first.waitForEvent('requestfailed');
  await track(first, 'While Offline');
  await track(second, 'While Offline Too');
  await failed;
  await context.setOffline(false);
  await empty(first);

  // The page is left in the middle.
  await track(first, 'Order Completed', { order_id: 'O-1', revenue: 24.99, currency: 'EUR' });
  await first.goto(base + '/thanks');
  await first.waitForFunction(() => window.motherlode.loaded);
  expect('Page', 'Called Early');
  await empty(first);

  // A tab is closed while the network is away; the other finds what it left.
  await context.setOffline(true);
  await track(second, 'Left Behind');
  await collect(second);
  await second.close();
  await context.setOffline(false);
  const third = await open('/again');
  await empty(third);
  await collect(third);
  await collect(first);
  await context.close();

  // Somebody has no script.
  const plain = await browser.newContext({ javaScriptEnabled: false });
  const page = await plain.newPage();
  const image = page.waitForResponse((answer) => answer.url() === gif);
  await page.goto(base);
  const answer = await image;
  if (!answer.ok()) throw new Error(`${gif} answered ${answer.status()}`);
  made.push({ type: 'page', name: '', messageId: gifEvent.messageId });
  expect('Page');
} finally {
  await browser.close();
  site.close();
}

const named = ({ type, name }) => name || type[0].toUpperCase() + type.slice(1);
const [script, page] = [expected, made.map(named)].map((list) => [...list].sort().join(', '));
if (script !== page) {
  console.error(`the page made other events than it was led to\nled to: ${script}\nmade:   ${page}`);
  process.exit(1);
}
console.log(JSON.stringify({ count: made.length, events: made.map((event) => ({ ...event, name: named(event) })) }, null, 2));
