// Motherlode's tracker; docs/clickstream.md explains it.
(function (w, d, n) {
  'use strict';

  const script = d.currentScript, stub = w.motherlode;
  if (!script || (stub && stub.loaded)) return;
  const data = script.dataset, auto = (data.auto === undefined ? 'page,spa,clicks,forms' : data.auto).split(',');

  const PREFIX = 'motherlode.', QUEUE = PREFIX + 'queue.';
  // Milliseconds, events, bytes.
  const IDLE = 18e5, SOON = 1e3, TIMEOUT = 3e4, BEAT = 6e4, LEASE = 3e5;
  const BATCH = 20, KEPT = 500, KEPT_SIZE = 1e6, EVENT = 32e3, BODY = 6e4;

  const warn = (...what) => console.warn('motherlode:', ...what);
  // Nothing of ours throws into the page.
  const safe = (run) => function (...args) {
    try { return run.apply(this, args); } catch (error) { warn(error); }
  };
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => (b + 256).toString(16).slice(1)).join('');
  const size = (text) => new Blob([text]).size;

  // Local storage, or memory where there is none.
  const memory = {};
  const get = (key) => {
    try { return localStorage.getItem(PREFIX + key) || memory[key]; } catch (e) { return memory[key]; }
  };
  const set = (key, value) => {
    memory[key] = value;
    try { value ? localStorage.setItem(PREFIX + key, value) : localStorage.removeItem(PREFIX + key); } catch (e) { /* memory has it */ }
    return value;
  };
  const session = () => {
    let [id, seen] = (get('session') || '').split(' ');
    if (!(Date.now() - seen < IDLE)) id = random();
    set('session', id + ' ' + Date.now());
    return id;
  };

  // JSON texts of events, stored under a name of this page's own. While it lives it holds the lock of
  // that name, or keeps its beat young; others take over what the dead left.
  let queue = [], name, owned, release, locks = n.locks;
  let sending = [], timer, failures = 0, notBefore = 0;

  const drop = (gone) => { queue = queue.filter((event) => !gone.includes(event)); };
  const persist = (dead) => {
    if (!owned && !dead) return;
    try {
      queue.length ? localStorage.setItem(name, [dead ? 0 : Date.now(), ...queue].join('\n')) : localStorage.removeItem(name);
      return true;
    } catch (e) { /* memory has it */ }
  };
  const bound = () => {
    let length = 0, from = queue.length;
    while (from && queue.length - from < KEPT && (length += queue[from - 1].length) <= KEPT_SIZE) from--;
    if (from) warn('the queue is full,', queue.splice(0, from).length, 'events are lost');
  };
  const take = (key) => {
    const text = localStorage.getItem(key);
    if (!text) return;
    queue = text.split('\n').slice(1).concat(queue);
    bound();
    localStorage.removeItem(key);
    persist();
    soon();
  };
  const adopt = safe(() => Object.keys(localStorage).forEach((key) => {
    if (!owned || !key.startsWith(QUEUE) || key === name) return;
    if (locks) locks.request(key, { ifAvailable: true }, safe((lock) => { lock && take(key); }));
    else if (Date.now() - parseInt(localStorage.getItem(key), 10) > LEASE) take(key);
  }));
  const open = () => {
    const mine = name = QUEUE + random();
    const own = () => {
      if (name !== mine) return;
      owned = true;
      persist();
      adopt();
    };
    if (!locks) return own();
    locks.request(mine, () => new Promise((done) => {
      name === mine ? release = done : done();
      own();
    })).catch(() => { locks = 0; own(); });
  };

  const chunk = (events) => {
    let total = 0;
    const end = events.findIndex((event) => (total += size(event) + 1) > BODY - 100);
    return events.slice(0, end < 0 ? KEPT : end);
  };
  const body = (events) => '{"batch":[' + events + '],"sentAt":"' + new Date().toISOString() + '"}';
  const at = (delay) => {
    clearTimeout(timer);
    timer = setTimeout(send, delay);
  };
  // A retry that waits is not hurried by new events.
  const soon = () => { failures || timer && queue.length < BATCH || at(queue.length < BATCH ? SOON : 0); };

  const send = async () => {
    timer = 0;
    if (sending.length || !queue.length) return;
    sending = chunk(queue);
    const abort = new AbortController(), alarm = setTimeout(() => abort.abort(), TIMEOUT);
    let wait = 0, settled;
    try {
      // Plain text needs no preflight.
      const answer = await fetch(url, { method: 'POST', body: body(sending), keepalive: true, credentials: 'include', signal: abort.signal });
      const status = answer.status;
      if (answer.ok) {
        settled = true;
        ((await answer.json()).rejected || []).forEach((one) => warn('rejected', one.messageId, one.reason));
      } else if (status > 399 && status < 500 && status !== 408 && status !== 429) {
        settled = true;
        warn(sending.length, 'events refused:', status);
      } else wait = 1000 * answer.headers.get('Retry-After') || 0;
    } catch (e) { /* again */ }
    clearTimeout(alarm);
    if (settled) {
      failures = 0;
      drop(sending);
      persist();
    }
    sending = [];
    if (settled) return queue.length && soon();
    notBefore = Date.now() + wait;
    at(Math.max(wait, Math.min(SOON * 2 ** failures++, BEAT)) * (1 + Math.random() / 2));
  };

  // While the server fails, the queue is the safer place.
  const beacon = () => {
    let rest;
    while (!failures && n.onLine !== false && n.sendBeacon && (rest = queue.filter((event) => !sending.includes(event))).length) {
      const batch = chunk(rest);
      if (!n.sendBeacon(url, body(batch))) break;
      drop(batch);
    }
    persist();
  };
  const leave = () => {
    beacon();
    if (persist(true)) queue = [];
    name = owned = 0;
    release && release();
  };

  let referrer = d.referrer, page = '';
  const emit = (type, fields) => {
    const campaign = {}, s = w.screen || {};
    new URLSearchParams(location.search).forEach((value, key) => {
      if (/^utm_(campaign|source|medium|term|content)$/.test(key)) campaign[key === 'utm_campaign' ? 'name' : key.slice(4)] = value;
    });
    const event = JSON.stringify(Object.assign({
      type,
      messageId: random(),
      timestamp: new Date().toISOString(),
      anonymousId: get('id') || set('id', random()),
      userId: get('user'),
      context: {
        page: { path: location.pathname, referrer, search: location.search, title: d.title, url: location.href },
        campaign,
        locale: n.language,
        timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
        screen: { width: s.width, height: s.height, density: w.devicePixelRatio },
        library: { name: 'motherlode.js', version: '1.0.0' },
        sessionId: session(),
      },
    }, fields), (key, value) => (typeof value === 'string' && value.toWellFormed ? value.toWellFormed() : value)); // half an emoji is no JSON
    if (size(event) > EVENT) return warn(type, 'is larger than', EVENT, 'bytes and not sent');
    queue.push(event);
    bound();
    persist();
    soon();
  };
  const commands = {
    track(event, properties) { emit('track', { event, properties }); },
    page(name, properties) {
      const here = location.href;
      if (page && page !== here) referrer = page;
      page = here;
      emit('page', { name, properties });
    },
    identify(id, traits) {
      if (id && typeof id === 'object') traits = id;
      else if (id) set('user', '' + id);
      emit('identify', { traits });
    },
    group(groupId, traits) { emit('group', { groupId, traits }); },
    alias(userId, previousId) {
      previousId = previousId || get('user') || get('id');
      set('user', '' + userId);
      emit('alias', { previousId });
    },
    reset() { ['id', 'user', 'session'].forEach((key) => set(key)); },
  };

  const on = (target, type, run, capture) => target.addEventListener(type, safe(run), capture);
  const attributes = (element) => {
    const found = {};
    for (const { name, value } of element.attributes) {
      if (name.startsWith('data-event-')) found[name.slice(11).replace(/-/g, '_')] = value;
    }
    return found;
  };
  const bare = () => location.href.split('#')[0];
  const moved = safe(() => { page.split('#')[0] === bare() || commands.page(); });
  const start = () => {
    open();
    setInterval(() => { persist(); adopt(); }, BEAT);
    on(w, 'online', () => { Date.now() < notBefore || at(0); });
    on(w, 'pagehide', leave);
    on(w, 'pageshow', (event) => { event.persisted && open(); });
    on(d, 'visibilitychange', () => { d.visibilityState === 'hidden' && beacon(); });
    if (auto.includes('page')) commands.page(); else page = location.href;
    if (auto.includes('spa')) {
      ['pushState', 'replaceState'].forEach((method) => {
        const original = history[method];
        history[method] = function (...args) {
          const result = original.apply(this, args);
          setTimeout(moved); // pages set their title after it
          return result;
        };
      });
      on(w, 'popstate', () => setTimeout(moved));
    }
    if (auto.includes('clicks')) on(d, 'click', (event) => {
      const element = event.target.closest && event.target.closest('[data-event]');
      if (element && element.tagName !== 'FORM') commands.track(element.getAttribute('data-event'), attributes(element));
    }, true);
    // Which form, never what is in it.
    if (auto.includes('forms')) on(d, 'submit', ({ target }) => {
      const of = (key) => target.getAttribute(key) || undefined;
      commands.track(of('data-event') || 'Form Submitted', Object.assign({ form_id: of('id'), form_name: of('name') }, attributes(target)));
    }, true);
    ((stub && stub.q) || []).forEach((call) => api(...call));
  };

  const silent = !data.key || 'respectDnt' in data && (n.doNotTrack === '1' || n.globalPrivacyControl);
  const url = (data.endpoint || new URL(script.src).origin).replace(/\/$/, '') + '/e?k=' + encodeURIComponent(data.key);
  const api = w.motherlode = safe((command, ...args) => {
    if (!commands[command]) return warn('there is no', command);
    silent || commands[command](...args);
  });
  api.loaded = true;
  if (!data.key) warn('data-key is missing');
  if (!silent) d.prerendering ? on(d, 'prerenderingchange', start) : safe(start)();
})(window, document, navigator);
