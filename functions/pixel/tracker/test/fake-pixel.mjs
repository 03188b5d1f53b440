// A pixel as small as the end-to-end scripts need: it records what it gets, and fails when told to.
//   node fake-pixel.mjs PORT     prints its address; GET /control shows the events,
//   POST /control {"down": true} makes it answer 503 with Retry-After: 1, {"down": false} ends that.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const tracker = readFileSync(new URL('../pixel.js', import.meta.url));
const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');

/** Starts it; `events` are what it took, in order, and `refused` counts its 503. */
export async function start(port = 0) {
  const fake = { events: [], keys: new Set(), refused: 0, down: false };
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://fake');
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    let body = Buffer.concat(chunks);
    if (request.headers['content-encoding'] === 'gzip') body = gunzipSync(body);
    const answer = (status, content, headers = {}) => {
      response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
      response.end(typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
    };
    const origin = request.headers.origin;
    if (origin) {
      response.setHeader('Access-Control-Allow-Origin', origin);
      response.setHeader('Access-Control-Allow-Credentials', 'true');
      // Else the browser hides it from the tracker.
      response.setHeader('Access-Control-Expose-Headers', 'Retry-After');
    }
    const take = (events, key) => {
      if (fake.down) {
        fake.refused++;
        return answer(503, { success: false }, { 'Retry-After': '1' });
      }
      fake.keys.add(key);
      fake.events.push(...events);
      answer(200, { success: true });
    };
    try {
      if (url.pathname === '/control') {
        if (request.method === 'POST') fake.down = JSON.parse(body).down;
        answer(200, { down: fake.down, refused: fake.refused, events: fake.events });
      } else if (url.pathname === '/pixel.js') answer(200, tracker, { 'Content-Type': 'text/javascript' });
      else if (url.pathname === '/p.gif') {
        fake.keys.add(url.searchParams.get('k'));
        fake.events.push(JSON.parse(url.searchParams.get('d')));
        answer(200, gif, { 'Content-Type': 'image/gif', 'Cache-Control': 'no-store' });
      } else if (url.pathname === '/e') take(JSON.parse(body).batch, url.searchParams.get('k'));
      else if (url.pathname === '/v1/batch') {
        const { batch, writeKey } = JSON.parse(body);
        const basic = Buffer.from((request.headers.authorization || '').replace('Basic ', ''), 'base64').toString();
        take(batch, basic.split(':')[0] || writeKey);
      } else answer(404, { error: url.pathname });
    } catch (error) {
      answer(400, { error: String(error) });
    }
  });
  await new Promise((listening) => server.listen(port, '127.0.0.1', listening));
  fake.url = `http://127.0.0.1:${server.address().port}`;
  fake.stop = () => new Promise((stopped) => {
    server.close(stopped);
    server.closeAllConnections();
  });
  return fake;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log((await start(Number(process.argv[2] || 0))).url);
