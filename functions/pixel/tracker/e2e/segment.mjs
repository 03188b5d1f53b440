// Sends events with Segment's own SDK, unchanged. Prints as JSON which events must arrive, each once.
import { Analytics } from '@segment/analytics-node';

import { options } from './options.mjs';

const given = options('segment.mjs --pixel URL --key KEY', ['pixel', 'key']);
const analytics = new Analytics({ writeKey: given.key, host: given.pixel, flushAt: 5, flushInterval: 500 });
let failure;
analytics.on('error', (error) => { failure = error; });

const events = [];
const send = (type, message) => new Promise((done, fail) => {
  analytics[type](message, (error, context) => {
    if (error) return fail(error);
    const { messageId, event } = context.event;
    events.push({ type, name: event || type[0].toUpperCase() + type.slice(1), messageId });
    done();
  });
});

const userId = 'server-user-1';
const sent = [
  send('identify', { userId, traits: { plan: 'paid' } }),
  send('group', { userId, groupId: 'group-1', traits: { seats: 3 } }),
  send('alias', { userId, previousId: 'anonymous-1' }),
  send('page', { userId, name: 'Docs', properties: { path: '/docs' } }),
  send('screen', { userId, name: 'Settings' }),
  ...Array.from({ length: 12 }, (_, n) => send('track', {
    userId, event: n === 11 ? 'Order Completed' : 'Product Viewed', properties: { product_id: `P-${n}`, revenue: n + 0.99 },
  })),
];
await Promise.all(sent);
await analytics.closeAndFlush();
if (failure) {
  console.error('the SDK reports:', failure);
  process.exit(1);
}
console.log(JSON.stringify({ count: events.length, events }, null, 2));
