// Charts, drawn on canvases. A line of its own pattern tells series apart, besides its colour.

const charts = [
  { title: 'Connections', unit: v => short(Math.round(v)), series: [['open', 'open', false], ['fresh', 'new/s', true]] },
  { title: 'Bytes per second', unit: v => bytes(Math.round(v)) + (v < 1000 ? ' B' : 'B'), binary: true, series: [['in', 'in', false], ['out', 'out', true]] },
  { title: 'Queue', unit: v => short(Math.round(v)), series: [['queue', 'waiting', false]] },
  { title: 'Connect time', unit: micro, series: [['connect', 'average', false]] },
];

let pointer = null; // time under the mouse
let range = 300;    // seconds

// nice is the next round number at or above v.
function nice(v, binary) {
  if (v <= 0) return 1;
  const base = binary && v >= 1024 ? 1024 ** Math.floor(Math.log(v) / Math.log(1024)) : 1;
  const power = 10 ** Math.floor(Math.log10(v / base));
  for (const step of [1, 1.5, 2, 3, 4, 5, 6, 8, 10]) if (step * power * base >= v) return step * power * base;
  return v;
}

class Chart {
  constructor(definition) {
    this.definition = definition;
    this.canvas = element('canvas', { role: 'img' });
    this.values = definition.series.map(() => element('b'));
    const legend = element('div', { className: 'series' });
    definition.series.forEach(([, name, dashed], i) =>
      legend.append(element('span', { className: 'line ' + (dashed ? 'second' : 'first') }, element('i', { ariaHidden: 'true' }), name + ' ', this.values[i])));
    this.box = element('figure', { className: 'chart' }, element('figcaption', {}, element('h3', { textContent: definition.title }), legend), this.canvas);
    this.canvas.addEventListener('pointermove', e => {
      const r = this.canvas.getBoundingClientRect();
      pointer = this.at ? this.at((e.clientX - r.left)) : null;
      drawCharts();
    });
    this.canvas.addEventListener('pointerleave', () => { pointer = null; drawCharts(); });
  }

  draw(history) {
    const ratio = window.devicePixelRatio || 1, w = this.canvas.clientWidth, h = this.canvas.clientHeight;
    if (!w || !h) return;
    if (this.canvas.width !== Math.round(w * ratio)) this.canvas.width = Math.round(w * ratio);
    if (this.canvas.height !== Math.round(h * ratio)) this.canvas.height = Math.round(h * ratio);
    const c = this.canvas.getContext('2d'), style = getComputedStyle(root), colour = name => style.getPropertyValue(name).trim();
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, w, h);
    const time = history.time, n = time.length, end = n ? time[n - 1] : Date.now(), shown = Math.min(range, Math.max(60, n ? (end - time[0]) / 1000 : 0)), begin = end - shown * 1000;
    let from = 0;
    while (from < n && time[from] < begin) from++;
    const { series, unit, binary } = this.definition;
    let highest = 0;
    for (const [key] of series) for (let i = from; i < n; i++) highest = Math.max(highest, (history.values[key] || [])[i] || 0);
    const top = nice(highest * 1.08, binary), left = 46, right = w - 6, upper = 8, lower = h - 18;
    const x = t => left + (t - begin) / (end - begin) * (right - left), y = v => lower - v / top * (lower - upper);
    this.at = px => begin + (px - left) / (right - left) * (end - begin);

    c.font = '11px ' + style.fontFamily;
    c.lineWidth = 1;
    c.textBaseline = 'middle';
    c.textAlign = 'right';
    for (const share of [0, 0.5, 1]) {
      const line = Math.round(y(top * share)) + 0.5;
      c.strokeStyle = colour('--grid');
      c.beginPath(); c.moveTo(left, line); c.lineTo(right, line); c.stroke();
      c.fillStyle = colour('--dim');
      if (share !== 0.5 || top >= 2 || !Number.isInteger(top)) c.fillText(unit(top * share), left - 6, line);
    }
    c.textBaseline = 'alphabetic';
    for (const share of [0, 0.5, 1]) {
      c.textAlign = share === 0 ? 'left' : share === 1 ? 'right' : 'center';
      c.fillText(share === 1 ? 'now' : '−' + span(Math.round(shown * (1 - share))).replace('m00s', 'm'), left + (right - left) * share, h - 4);
    }

    let marked = n - 1;
    if (pointer !== null && n) {
      marked = from;
      for (let i = from; i < n; i++) if (Math.abs(time[i] - pointer) < Math.abs(time[marked] - pointer)) marked = i;
    }
    series.forEach(([key, , dashed], s) => {
      const values = history.values[key] || [];
      c.strokeStyle = colour(dashed ? '--second' : '--first');
      c.lineWidth = 1.75;
      c.lineJoin = 'round';
      c.setLineDash(dashed ? [4, 3] : []);
      let start = -1;
      const finish = i => {
        if (start < 0) return;
        c.beginPath();
        for (let j = start; j < i; j++) c.lineTo(x(time[j]), y(values[j]));
        if (i - start === 1) c.lineTo(x(time[start]) + 1, y(values[start]));
        c.stroke();
        if (!dashed) {
          c.lineTo(x(time[i - 1]), lower); c.lineTo(x(time[start]), lower); c.closePath();
          c.globalAlpha = 0.12; c.fillStyle = colour('--first'); c.fill(); c.globalAlpha = 1;
        }
        start = -1;
      };
      for (let i = from; i < n; i++) {
        if (values[i] === null || values[i] === undefined) finish(i); else if (start < 0) start = i;
      }
      finish(n);
      c.setLineDash([]);
      const v = values[marked];
      this.values[s].textContent = v === null || v === undefined ? '–' : unit(v);
    });
    if (pointer !== null && n) {
      c.strokeStyle = colour('--dim'); c.lineWidth = 1;
      const line = Math.round(x(time[marked])) + 0.5;
      c.beginPath(); c.moveTo(line, upper); c.lineTo(line, lower); c.stroke();
    }
    this.canvas.setAttribute('aria-label', this.definition.title + ': ' + series.map(([, name], i) => name + ' ' + this.values[i].textContent).join(', '));
  }
}

const drawn = charts.map(d => new Chart(d));
let chosen = null; // name of the proxy whose charts are shown; null: all

function drawCharts() {
  const history = chosen === null ? everything : histories.get(chosen);
  if (history) for (const chart of drawn) chart.draw(history);
}

function choose(name) {
  chosen = name;
  $('charts-title').textContent = name === null ? 'All proxies' : name;
  $('charts-all').hidden = name === null;
  drawCharts();
}

// spark draws one proxy's connections, small.
function spark(canvas, history) {
  const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (!w || !history) return;
  if (canvas.width !== Math.round(w * ratio)) { canvas.width = Math.round(w * ratio); canvas.height = Math.round(h * ratio); }
  const c = canvas.getContext('2d');
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, w, h);
  const values = (history.values.open || []).slice(-60), top = Math.max(1, ...values);
  c.strokeStyle = getComputedStyle(root).getPropertyValue('--first').trim();
  c.lineWidth = 1.25;
  c.beginPath();
  values.forEach((v, i) => c.lineTo(w - (values.length - 1 - i) * w / 59, h - 1.5 - v / top * (h - 3)));
  c.stroke();
}
