// The page as a whole: asks for data, and gives it to the parts.

const prefix = root.dataset.prefix, scope = root.dataset.scope;
const address = what => location.origin + prefix + what + (what && scope ? '&scope=' + encodeURIComponent(scope) : '');
const sections = new Map();
let data = null, paused = root.dataset.paused === 'true', interval = 2000, timer = 0, busy = false, answered = 0;
let words = [], problems = false, upOnly = root.dataset.up === 'true';

const watch = new IntersectionObserver(entries => {
  for (const e of entries) {
    const s = e.target.section;
    s.visible = e.isIntersecting;
    if (s.visible) s.render();
  }
}, { rootMargin: '400px 0px' });

// rowsToShow gives the rows of a proxy that the filter lets through; null: the proxy is not shown.
function rowsToShow(proxy) {
  if (!words.length && !problems && !upOnly) return proxy.rows;
  const name = proxy.name.toLowerCase(), wholes = [], rows = [];
  let found = false;
  const rest = words.filter(w => !name.includes(w));
  for (const row of proxy.rows) {
    const type = get(row, 'type'), status = get(row, 'status'), state = stateOf(status);
    if (upOnly && type === SERVER && (state === 'down' || state === 'rising' || state === 'maint')) continue;
    const text = rest.length ? (get(row, 'svname') + ' ' + status + ' ' + states[state][0] + ' ' + (get(row, 'addr') || '') + ' ' + (get(row, 'check_status') || '')).toLowerCase() : '';
    const fits = rest.every(w => text.includes(w)) && (!problems || troubled.has(state) || get(row, 'qcur') > 0);
    if (type !== SERVER) { rows.push(row); wholes.push(row); found ||= fits; } else if (fits) { rows.push(row); found = true; }
  }
  return found ? rows : null;
}

function sortBy(key) {
  const upwards = key === 'svname' || key === 'status' || key === 'check_status'; // at first
  if (sorting.key !== key) { sorting.key = key; sorting.down = !upwards; } else if (sorting.down === !upwards) sorting.down = upwards; else sorting.key = null;
  showSorting();
}

function showSorting() {
  $('unsort').hidden = sorting.key === null;
  $('sort').value = sorting.key || '';
  for (const s of sections.values()) s.showSorting();
  refreshAll();
}

// refreshAll shows the data that is there again, after a change of what is wished.
function refreshAll() {
  if (!data) return;
  let rows = 0, servers = 0, shown = 0;
  for (const proxy of data.proxies) {
    const s = sections.get(proxy.name);
    s.update(proxy);
    for (const row of proxy.rows) if (get(row, 'type') === SERVER) servers++;
    if (s.rows) { shown++; for (const row of s.rows) if (get(row, 'type') === SERVER) rows++; }
  }
  const part = (a, b, what) => (a === b ? count(b) : count(a) + ' of ' + count(b)) + ' ' + what;
  $('count').textContent = part(shown, data.proxies.length, data.proxies.length === 1 ? 'proxy' : 'proxies') + ', ' + part(rows, servers, servers === 1 ? 'server' : 'servers');
}

function take(next) {
  data = next;
  place = Object.fromEntries(data.columns.map((name, i) => [name, i]));
  interval = data.interval;
  token = data.token || '';
  canAdmin = data.admin;
  legends = data.legends;
  record(data.time, data.proxies);
  const names = new Set(data.proxies.map(p => p.name));
  for (const [name, s] of sections) if (!names.has(name)) { watch.unobserve(s.box); s.box.remove(); sections.delete(name); }
  let last = null;
  for (const proxy of data.proxies) {
    let s = sections.get(proxy.name);
    if (!s) {
      sections.set(proxy.name, s = new Section(proxy.name));
      if (last) last.after(s.box); else $('proxies').prepend(s.box);
      watch.observe(s.box);
    }
    last = s.box;
  }
  refreshAll();
  showProcess();
  drawCharts();
  root.dataset.updates = String(Number(root.dataset.updates || 0) + 1);
}

const tiles = {};

function tile(name, value, note, share) {
  let t = tiles[name];
  if (!t) {
    t = tiles[name] = { value: element('b'), note: element('small'), meter: element('i') };
    t.bar = element('span', { className: 'meter' }, t.meter);
    $('process').append(element('div', {}, element('dt', { textContent: name }), element('dd', {}, t.value, t.note, t.bar)));
  }
  if (t.value.textContent !== value) t.value.textContent = value;
  if (t.note.textContent !== (note || '')) t.note.textContent = note || '';
  t.bar.hidden = share === undefined;
  if (share !== undefined) t.meter.style.width = Math.min(100, 100 * share).toFixed(1) + '%';
}

function showProcess() {
  const i = data.info;
  let up = 0, all = 0, waiting = 0;
  for (const proxy of data.proxies) {
    for (const row of proxy.rows) {
      if (get(row, 'type') === BACKEND) waiting += get(row, 'qcur');
      if (get(row, 'type') !== SERVER) continue;
      all++;
      const state = stateOf(get(row, 'status'));
      if (state === 'up' || state === 'falling' || state === 'unchecked') up++;
    }
  }
  $('node').textContent = [data.node, data.version].filter(Boolean).join(' · ');
  $('description').textContent = data.description || '';
  tile('Uptime', span(i.Uptime_sec), 'pid ' + i.Pid);
  tile('Connections', count(i.CurrConns), 'of ' + short(i.Maxconn), i.CurrConns / i.Maxconn);
  tile('New per second', count(i.ConnRate), 'max ' + count(i.MaxConnRate));
  tile('In', bytes(Math.round(everything.latest('in') || 0)) + 'B/s');
  tile('Out', bytes(Math.round(everything.latest('out') || 0)) + 'B/s', bytes(i.TotalBytesOut) + 'B in all');
  tile('Waiting', count(waiting), 'in queues');
  tile('Servers', count(up), 'of ' + count(all) + ' serve', all ? up / all : 0);
  tile('Loops busy', (100 - i.Idle_pct) + '%', i.Nbthread + (i.Nbthread === 1 ? ' loop' : ' loops'), (100 - i.Idle_pct) / 100);
  tile('Memory', i.PoolUsed_MB + ' MiB', 'heap');
  if (i.DroppedLogs) tile('Log lines lost', count(i.DroppedLogs));
  if (data.forged) tile('Forged changes', count(data.forged), 'refused');
  if (i.Stopping) tile('State', 'Stopping');
}

function showState() {
  const late = answered && Date.now() - answered > 2.5 * interval + 3000 && !paused && !document.hidden;
  const text = paused ? 'paused' : late ? 'no answer for ' + span((Date.now() - answered) / 1000) : answered ? 'live, every ' + span(interval / 1000) : 'loading';
  if ($('state').textContent !== text) $('state').textContent = text;
  $('state').className = 'state ' + (paused ? 'paused' : late ? 'late' : 'live');
}

function complain(text) {
  const box = $('trouble');
  if (box.textContent !== text) box.textContent = text;
  box.hidden = text === '';
}

// poll asks for data. One question is open at a time, and what answering costs bounds how often it is asked.
async function poll(now) {
  clearTimeout(timer);
  if (busy || !now && (paused || document.hidden)) return;
  busy = true;
  const begun = performance.now();
  try {
    const answer = await fetch(address(';data'), { signal: AbortSignal.timeout(20000) });
    if (!answer.ok) throw new Error(answer.status === 401 ? 'The password is asked for again: reload the page.' : 'The answer was ' + answer.status + '.');
    const next = await answer.json(), arrived = performance.now();
    take(next);
    root.dataset.took = (performance.now() - arrived).toFixed(1); // milliseconds, for tests
    answered = Date.now();
    complain('');
  } catch (e) {
    complain(e.name === 'TypeError' || e.name === 'TimeoutError' ? 'sluice does not answer. What is shown is old; the page goes on trying.' : e.message);
  }
  busy = false;
  showState();
  timer = setTimeout(poll, Math.max(interval, 5 * (performance.now() - begun)));
}

function setPaused(on) {
  paused = on;
  $('pause').textContent = on ? 'Resume' : 'Pause';
  $('pause').setAttribute('aria-pressed', String(on));
  showState();
  if (!on) poll();
}

const themes = ['auto', 'light', 'dark'];

function setTheme(name) {
  if (name === 'auto') delete root.dataset.theme; else root.dataset.theme = name;
  $('theme').textContent = 'Theme: ' + name;
  try { localStorage.setItem('sluice-theme', name); } catch (e) { /* the browser keeps nothing: then for this time only */ }
  drawCharts();
  for (const s of sections.values()) if (s.visible && s.table) spark(s.spark, histories.get(s.name));
}

function filterNow() {
  words = $('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  problems = $('problems').checked;
  upOnly = $('up').checked;
  refreshAll();
}

$('charts').append(...drawn.map(c => c.box));
$('legend').append(...['up', 'falling', 'down', 'drain', 'maint', 'unchecked'].map(s => element('span', { className: 'tally' }, shape(s), states[s][0])));
$('csv').href = address(';csv');
$('json').href = address(';json');
$('up').checked = upOnly;
$('up').onchange = $('problems').onchange = $('filter').oninput = filterNow;
$('pause').onclick = () => setPaused(!paused);
$('theme').onclick = () => setTheme(themes[(themes.indexOf(root.dataset.theme || 'auto') + 1) % 3]);
$('span').onchange = e => { range = Number(e.target.value); drawCharts(); };
$('charts-all').onclick = () => choose(null);
$('unsort').onclick = () => { sorting.key = null; showSorting(); };
for (const [key, label] of [['svname', 'Name'], ['status', 'Status'], ...columns.filter(c => c.phone).map(c => [c.key, c.phone])]) $('sort').append(element('option', { value: key, textContent: label }));
$('sort').onchange = e => { sorting.key = null; if (e.target.value) sortBy(e.target.value); else showSorting(); };
$('fold').onclick = e => {
  const on = e.target.textContent === 'Fold all';
  e.target.textContent = on ? 'Unfold all' : 'Fold all';
  for (const s of sections.values()) s.fold(on);
};
document.addEventListener('keydown', e => {
  if (e.key === '/' && !/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) { e.preventDefault(); $('filter').focus(); }
  if (e.key === 'Escape' && e.target === $('filter')) { $('filter').value = ''; filterNow(); }
});
document.addEventListener('visibilitychange', () => { if (!document.hidden) poll(); });
new ResizeObserver(() => drawCharts()).observe($('charts'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawCharts);
let theme = 'auto';
try { theme = localStorage.getItem('sluice-theme') || 'auto'; } catch (e) { /* as above */ }
setTheme(themes.includes(theme) ? theme : 'auto');
makeActions();
setPaused(paused);
setInterval(showState, 1000);
poll(true);
