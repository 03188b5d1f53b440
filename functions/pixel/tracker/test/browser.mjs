// A browser as small as the tracker needs: pages with a clock of their own, that share storage and locks.
// What the tracker asks of it and was not told to happen fails loudly.
import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const source = readFileSync(new URL('../pixel.js', import.meta.url), 'utf8');

/** Lets everything run that waits for no timer. */
export const settle = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
};

/** What `localStorage` is: keys are its own properties. `quota` in characters. */
class Storage {
  #quota;
  constructor(quota) { this.#quota = quota; }
  getItem(key) { return Object.hasOwn(this, key) ? this[key] : null; }
  setItem(key, value) {
    if (value.length > this.#quota) throw new Error('QuotaExceededError');
    this[key] = String(value);
  }
  removeItem(key) { delete this[key]; }
}

/** Web Locks: one holder of a name, until its promise is done or its page is gone. */
class Locks {
  held = new Map();
  waiting = [];
  of(page) {
    return {
      request: async (name, options, run = options) => {
        await null;
        if (options.ifAvailable && this.held.has(name)) return run(null);
        while (this.held.has(name)) await new Promise((free) => this.waiting.push(free));
        this.held.set(name, page);
        try { return await run({ name }); } finally { this.free(name, page); }
      },
    };
  }
  free(name, page) {
    if (this.held.get(name) === page) this.held.delete(name);
    this.waiting.splice(0).forEach((free) => free());
  }
  gone(page) {
    for (const [name, holder] of [...this.held]) if (holder === page) this.free(name, page);
  }
}

/** Something that events are sent to. */
class Target {
  listeners = [];
  addEventListener(type, run) { this.listeners.push([type, run]); }
  fire(type, event = {}) {
    for (const [of, run] of this.listeners) if (of === type) run(event);
  }
}

/** An element with attributes inside another. */
export class Element {
  constructor(tagName, attributes = {}, parent = null) {
    Object.assign(this, { tagName, parent });
    this.attributes = Object.entries(attributes).map(([name, value]) => ({ name, value }));
  }
  getAttribute(name) { return this.attributes.find((one) => one.name === name)?.value ?? null; }
  closest(selector) {
    const name = /^\[([\w-]+)\]$/.exec(selector)[1];
    return this.getAttribute(name) !== null ? this : this.parent && this.parent.closest(selector);
  }
}

export class Browser {
  locks = new Locks();
  now = Date.parse('2026-11-20T10:00:00.000Z');
  pages = [];
  constructor({ quota = 5e6, withLocks = true, withStorage = true } = {}) {
    Object.assign(this, { withLocks, withStorage, storage: new Storage(quota) });
  }

  /** Opens a page with the tracker in it. `answers` are what requests get, in order. */
  async open({ answers = [], url = 'https://shop.example.com/', referrer = '', data = {}, navigator = {}, before = () => {}, beacon = () => true } = {}) {
    const page = { browser: this, answers, requests: [], beacons: [], warnings: [], timers: [], alive: true };
    const window = new Target();
    const document = Object.assign(new Target(), {
      referrer, title: 'Shop', visibilityState: 'visible',
      currentScript: { src: 'https://pixel.example.com/pixel.js', dataset: { key: 'KEY', ...data } },
    });
    const location = new URL(url);
    const browser = this;
    class Clock extends Date {
      constructor(...args) { args.length ? super(...args) : super(browser.now); }
      static now() { return browser.now; }
    }
    const setTimer = (run, delay = 0, every = 0) => {
      const timer = { run, at: this.now + delay, every };
      page.timers.push(timer);
      return timer;
    };
    const clearTimeout = (timer) => { page.timers = page.timers.filter((one) => one !== timer); };
    const move = (state, title, to) => { if (to) location.href = new URL(to, location.href).href; };
    Object.assign(window, {
      location, document, history: { pushState: move, replaceState: move }, screen: { width: 1280, height: 720 }, devicePixelRatio: 2,
      Date: Clock, URL, URLSearchParams, Blob, AbortController, crypto, Intl,
      console: { warn: (...what) => page.warnings.push(what.join(' ')) },
      setTimeout: setTimer, setInterval: (run, delay) => setTimer(run, delay, delay), clearTimeout,
      fetch: async (to, { body, method, signal, ...how }) => {
        page.requests.push({ to, method, how, text: body, ...JSON.parse(body) });
        if (!page.answers.length) throw new Error(`nobody said what request ${page.requests.length} gets`);
        const answer = await page.answers.shift();
        if (answer === 'never') return new Promise((_, fail) => signal.addEventListener('abort', () => fail(new Error('aborted'))));
        if (answer === 'offline') throw new TypeError('Failed to fetch');
        const { status = 200, retryAfter = null, ...rest } = answer;
        return { status, ok: status >= 200 && status < 300, headers: new Map([['Retry-After', retryAfter]]), json: async () => rest };
      },
      navigator: {
        language: 'de-DE', onLine: true, locks: this.withLocks ? this.locks.of(page) : undefined,
        sendBeacon: (to, body) => {
          const taken = beacon(body);
          if (taken) page.beacons.push({ to, text: body, ...JSON.parse(body) });
          return taken;
        },
        ...navigator,
      },
    });
    Object.defineProperty(window, 'localStorage', {
      get: () => {
        if (!this.withStorage) throw new Error('SecurityError');
        return this.storage;
      },
    });
    window.window = window;
    Object.assign(page, { window, document });
    before(window);
    vm.runInNewContext(source, window);
    this.pages.push(page);
    await settle();
    page.call = (...args) => window.motherlode(...args);
    page.sent = () => [...page.requests, ...page.beacons].flatMap((request) => request.batch);
    /** The page is left as browsers do it. */
    page.leave = async () => {
      document.visibilityState = 'hidden';
      document.fire('visibilitychange');
      window.fire('pagehide', { persisted: false });
      page.kill();
      await settle();
    };
    /** The page is gone without a word. */
    page.kill = () => {
      Object.assign(page, { alive: false, timers: [] });
      this.locks.gone(page);
    };
    return page;
  }

  /** Lets time pass on all pages. */
  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = this.pages.flatMap((page) => page.timers.map((timer) => ({ page, timer })))
        .filter(({ timer }) => timer.at <= end).sort((a, b) => a.timer.at - b.timer.at)[0];
      if (!due) break;
      this.now = Math.max(this.now, due.timer.at);
      if (due.timer.every) due.timer.at += due.timer.every;
      else due.page.timers = due.page.timers.filter((timer) => timer !== due.timer);
      due.timer.run();
      await settle();
    }
    this.now = end;
    await settle();
  }

  /** The events that wait in storage. */
  stored() {
    return Object.keys(this.storage).filter((key) => key.startsWith('motherlode.queue.'))
      .flatMap((key) => this.storage[key].split('\n').slice(1).map((text) => JSON.parse(text)));
  }
}
