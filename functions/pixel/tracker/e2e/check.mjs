// Runs both scripts against the fake pixel and compares what they say with what arrived.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { start } from '../test/fake-pixel.mjs';

const run = promisify(execFile);
const script = (name) => fileURLToPath(new URL(name, import.meta.url));
const ids = (events) => events.map((event) => event.messageId).sort();

const fake = await start();
try {
  for (const [name, ...args] of [['visit.mjs', '--control', `${fake.url}/control`], ['segment.mjs']]) {
    fake.events.length = 0;
    const { stdout } = await run(process.execPath, [script(name), '--pixel', fake.url, '--key', 'KEY', ...args]);
    const { count, events } = JSON.parse(stdout);
    assert.deepEqual(ids(fake.events), ids(events), `${name}: what arrived is not what was sent`);
    assert.equal(new Set(ids(events)).size, count);
    assert.deepEqual([...fake.keys], ['KEY']);
    console.log(`${name}: ${count} events arrived, each once`);
  }
  assert.ok(fake.refused > 0, 'the outage was never felt');
} finally {
  await fake.stop();
}
