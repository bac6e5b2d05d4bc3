// A section is one proxy: its head, and a table that is made once it comes into view and brought up to date in place.

const batch = 100; // servers that are shown at first, and more at a time
const sorting = { key: null, down: true };
const selected = new Set(); // "backend/server"
let canAdmin = false, legends = false;

class Section {
  constructor(name) {
    this.name = name;
    this.limit = batch;
    this.views = new Map(); // by type and id
    this.order = [];
    this.visible = false;
    this.title = element('span', { className: 'name', textContent: name });
    this.toggle = element('button', { type: 'button', className: 'fold', ariaExpanded: 'true', onclick: () => this.fold(!this.folded) }, element('i', { ariaHidden: 'true' }), this.title);
    this.badges = element('span', { className: 'badges' });
    this.summary = element('span', { className: 'summary' });
    this.spark = element('canvas', { className: 'spark', role: 'img', ariaLabel: 'Connections lately' });
    this.now = element('span', { className: 'now' });
    this.more = element('button', { type: 'button', className: 'quiet more', hidden: true, onclick: () => { this.limit += 5 * batch; this.render(); } });
    this.body = element('div', { className: 'scroll', tabIndex: -1 });
    this.box = element('section', { className: 'proxy', ariaLabel: 'Proxy ' + name },
      element('header', {}, element('h2', {}, this.toggle), this.badges, this.summary, element('span', { className: 'gap' }), this.now, this.spark,
        element('button', { type: 'button', className: 'quiet one', textContent: 'Chart', ariaLabel: 'Show the charts of ' + name, onclick: () => { choose(name); $('charts-title').scrollIntoView({ block: 'nearest' }); } })),
      this.body, this.more);
    this.box.section = this;
  }

  fold(on) {
    this.folded = on;
    this.toggle.setAttribute('aria-expanded', String(!on));
    this.body.hidden = on;
    this.box.classList.toggle('folded', on);
    this.render();
  }

  // update takes new data, and shows it if it can be seen.
  update(proxy) {
    this.proxy = proxy;
    this.rows = rowsToShow(proxy);
    this.box.hidden = this.rows === null;
    if (this.rows === null) return;
    if (!this.table) this.reserve();
    if (this.visible) this.render();
  }

  // reserve keeps the room that the table will need, so that nothing moves when it is made.
  reserve() {
    const height = (this.folded ? 38 : 82 + 24 * Math.min(this.rows.length, this.limit)) + 'px';
    if (this.reserved !== height) this.box.style.containIntrinsicBlockSize = 'auto ' + (this.reserved = height);
  }

  render() {
    if (!this.rows) return;
    this.head();
    if (this.folded) { this.more.hidden = true; return; }
    if (!this.table || this.tableAdmin !== canAdmin) this.makeTable();
    const rows = arrange(this.rows), shownRows = rows.length > this.limit + 2 ? rows.slice(0, this.limit) : rows;
    const order = [];
    for (const row of shownRows) {
      const key = get(row, 'type') + '.' + get(row, 'sid');
      let view = this.views.get(key);
      if (!view || view.name !== get(row, 'svname')) this.views.set(key, view = this.makeRow(row));
      fillRow(view, row, this.name);
      order.push(view.tr);
    }
    if (order.length !== this.order.length || order.some((tr, i) => tr !== this.order[i])) {
      const kept = new Set(order);
      for (const [key, view] of this.views) if (!kept.has(view.tr)) this.views.delete(key);
      const focus = document.activeElement;
      this.table.tBodies[0].replaceChildren(...order);
      if (focus && focus !== document.activeElement && this.table.contains(focus)) focus.focus();
      this.order = order;
    }
    const hidden = rows.length - shownRows.length;
    this.more.hidden = hidden === 0;
    if (hidden) this.more.textContent = 'Show ' + count(Math.min(hidden, 5 * batch)) + ' more of ' + count(hidden) + ' hidden rows';
    spark(this.spark, histories.get(this.name));
  }

  head() {
    const tally = {};
    let servers = 0, front = null, back = null;
    for (const row of this.proxy.rows) {
      const type = get(row, 'type');
      if (type === FRONTEND) front = row;
      if (type === BACKEND) back = row;
      if (type !== SERVER) continue;
      servers++;
      const state = stateOf(get(row, 'status'));
      tally[state] = (tally[state] || 0) + 1;
    }
    const kind = front && back ? 'listen' : front ? 'frontend' : 'backend';
    const key = JSON.stringify([tally, kind, legends, front && get(front, 'status'), back && get(back, 'status'), this.proxy.desc]);
    if (key !== this.headKey) {
      this.headKey = key;
      const texts = [kind];
      if (this.proxy.mode !== 'tcp') texts.push('statistics');
      if (back && get(back, 'algo')) texts.push(get(back, 'algo'));
      if (legends) texts.push('#' + this.proxy.id);
      this.badges.replaceChildren(...texts.map(t => element('span', { textContent: t })));
      const parts = Object.keys(states).filter(s => tally[s]).map(s => element('span', { className: 'tally' }, shape(s), count(tally[s]) + ' ' + states[s][0].toLowerCase()));
      if (front && get(front, 'status') !== 'OPEN') parts.unshift(element('span', { className: 'tally' }, shape(stateOf(get(front, 'status'))), 'frontend ' + get(front, 'status').toLowerCase()));
      if (this.proxy.desc) parts.push(element('span', { className: 'desc', textContent: this.proxy.desc }));
      this.summary.replaceChildren(...parts);
      this.box.classList.toggle('bad', !!back && get(back, 'status') === 'DOWN');
    }
    const side = front || back;
    if (side) {
      const text = count(get(side, 'scur')) + ' open · ' + count(get(side, 'rate')) + '/s' + (back && get(back, 'qcur') ? ' · ' + count(get(back, 'qcur')) + ' waiting' : '');
      if (this.now.textContent !== text) this.now.textContent = text;
    }
  }

  makeTable() {
    this.views.clear();
    this.order = [];
    this.tableAdmin = canAdmin;
    const upper = element('tr', {}), lower = element('tr', {});
    upper.append(element('th', { className: 'key', rowSpan: 2, scope: 'col' }, this.sorter('svname', 'Name', 'Name')), element('th', { className: 'state', rowSpan: 2, scope: 'col' }, this.sorter('status', 'Status', 'State, and how long it has been so')));
    for (const [name, members] of groups) upper.append(element('th', { className: 'group', colSpan: members.length, scope: 'colgroup', textContent: name }));
    for (const c of columns) lower.append(element('th', { className: c.first ? 'first' : '', scope: 'col' }, this.sorter(c.key, c.label, c.group + ': ' + c.title)));
    const widths = element('colgroup');
    for (const w of [keyWidth, stateWidth, ...columns.map(c => c.width)]) {
      const col = element('col');
      col.style.width = w + 'px';
      widths.append(col);
    }
    this.table = element('table', {}, element('caption', { className: 'hidden', textContent: this.name }), widths, element('thead', {}, upper, lower), element('tbody'));
    this.table.style.minWidth = tableWidth + 'px';
    this.body.replaceChildren(this.table);
    this.showSorting();
  }

  sorter(key, label, title) { return element('button', { type: 'button', className: 'sort', textContent: label, title, 'data-key': key, onclick: () => sortBy(key) }); }

  showSorting() {
    if (!this.table) return;
    for (const b of this.table.querySelectorAll('.sort')) {
      const on = b.getAttribute('data-key') === sorting.key;
      if (on) b.parentNode.setAttribute('aria-sort', sorting.down ? 'descending' : 'ascending'); else b.parentNode.removeAttribute('aria-sort');
    }
  }

  makeRow(row) {
    const type = get(row, 'type'), name = get(row, 'svname'), tr = element('tr', { className: ['frontend', 'backend', 'server', 'listener'][type] });
    const key = element('th', { className: 'key', scope: 'row' }), label = element('span', { textContent: type === FRONTEND ? 'Frontend' : type === BACKEND ? 'Backend' : name });
    let box = null;
    if (canAdmin && type === SERVER) {
      const id = this.name + '/' + name;
      box = element('input', { type: 'checkbox', ariaLabel: 'Select ' + id, checked: selected.has(id), onchange: () => { box.checked ? selected.add(id) : selected.delete(id); showActions(); } });
      key.append(element('label', {}, box, label));
    } else key.append(label);
    const mark = element('span', { className: 'mark' }), words = element('span'), ageText = element('span', { className: 'age' });
    const state = element('td', { className: 'state' }, mark, words, ageText);
    tr.append(key, state);
    const cells = columns.map(c => {
      const td = element('td', { className: (c.first ? 'first ' : '') + (c.phone ? c.rare ? 'rare ' : '' : 'minor '), 'data-label': c.phone || c.label });
      td.append(document.createTextNode(''));
      tr.append(td);
      return { td, text: td.lastChild, base: td.className, last: '', lastTitle: '', dim: null };
    });
    return { tr, cells, mark, words, ageText, label, box, name, state: null };
  }
}

// fillRow brings a row up to date, touching only what differs.
function fillRow(view, row, proxy) {
  const status = get(row, 'status'), state = stateOf(status), since = get(row, 'lastchg');
  if (view.status !== status) {
    view.status = status;
    view.mark.replaceChildren(shape(state));
    view.words.textContent = status;
    view.words.parentNode.title = status;
    view.tr.setAttribute('data-state', state);
  }
  const age = since === null ? '' : span(since);
  if (view.ageText.textContent !== age) view.ageText.textContent = age;
  const title = [get(row, 'addr'), get(row, 'tracked') && 'tracks ' + get(row, 'tracked')].filter(Boolean).join(', ');
  if (legends && view.label.title !== title) view.label.title = title;
  if (view.box && view.box.checked !== selected.has(proxy + '/' + view.name)) view.box.checked = !view.box.checked;
  columns.forEach((column, i) => {
    const c = view.cells[i], [text, hint, dim] = cell(column, row);
    if (c.last !== text) c.text.nodeValue = c.last = text;
    if (c.lastTitle !== hint) c.td.title = c.lastTitle = hint;
    if (c.dim !== dim) { c.dim = dim; c.td.className = c.base + (dim ? 'dim' : ''); c.td.toggleAttribute('data-empty', text === ''); }
  });
  const cur = get(row, 'scur'), lim = get(row, 'slim');
  view.tr.classList.toggle('full', !!lim && cur >= lim && get(row, 'type') === SERVER);
}

// arrange puts servers into the order that is wished. What stands for a whole side keeps its place.
function arrange(rows) {
  if (!sorting.key) return rows;
  const top = [], middle = [], bottom = [];
  for (const row of rows) (get(row, 'type') === SERVER ? middle : get(row, 'type') === BACKEND ? bottom : top).push(row);
  const sign = sorting.down ? -1 : 1, empty = v => v === null || v === undefined;
  middle.sort((a, b) => {
    const x = get(a, sorting.key), y = get(b, sorting.key);
    if (empty(x) || empty(y)) return empty(x) - empty(y);
    return sign * (typeof x === 'number' ? x - y : String(x).localeCompare(String(y), 'en', { numeric: true }));
  });
  return [...top, ...middle, ...bottom];
}
