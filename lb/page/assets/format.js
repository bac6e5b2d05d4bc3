// How numbers, times and states are shown.

const root = document.documentElement;
const $ = id => document.getElementById(id);

// element makes an element with properties and children.
function element(name, properties, ...children) {
  const e = document.createElement(name);
  for (const [key, value] of Object.entries(properties || {})) {
    if (/^aria[A-Z]/.test(key)) e.setAttribute('aria-' + key.slice(4).toLowerCase(), value);
    else if (key !== 'role' && key in e) e[key] = value; else e.setAttribute(key, value);
  }
  e.append(...children);
  return e;
}

const grouped = new Intl.NumberFormat('en-US');

function count(n) { return grouped.format(n); }

// short is a number in at most four digits, with a letter for its size.
function short(n, base = 1000, digits = 3) {
  const letters = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
  let i = 0;
  while (Math.abs(n) >= base && i < letters.length - 1) { n /= base; i++; }
  if (i === 0) return Number.isInteger(n) ? String(n) : n.toFixed(n < 10 ? 1 : 0);
  return n.toFixed(n >= 100 || digits < 3 ? 0 : n >= 10 ? 1 : 2) + letters[i];
}

const bytes = n => n < 1000 ? String(n) : short(n, 1024);

// span is a time in seconds, in its two largest units.
function span(s) {
  if (s < 60) return Math.floor(s) + 's';
  if (s < 3600) return Math.floor(s / 60) + 'm' + String(Math.floor(s % 60)).padStart(2, '0') + 's';
  if (s < 86400) return Math.floor(s / 3600) + 'h' + String(Math.floor(s / 60 % 60)).padStart(2, '0') + 'm';
  return Math.floor(s / 86400) + 'd' + String(Math.floor(s / 3600 % 24)).padStart(2, '0') + 'h';
}

// micro is a time in microseconds.
function micro(us) {
  if (us < 1000) return Math.round(us) + 'µs';
  if (us < 1e6) return (us / 1000).toFixed(us < 1e4 ? 2 : us < 1e5 ? 1 : 0) + 'ms';
  return (us / 1e6).toFixed(us < 1e7 ? 2 : 1) + 's';
}

// states of a row: what it is called, and the shape that shows it. Shape and text say it; colour only helps.
const states = {
  open: ['Open', 'circle'], up: ['Up', 'circle'], falling: ['Up, failing checks', 'half'], rising: ['Down, passing checks', 'half'],
  down: ['Down', 'triangle'], drain: ['Drain', 'diamond'], maint: ['Maintenance', 'square'], unchecked: ['Not checked', 'ring'], paused: ['Paused', 'square'],
};

function stateOf(status) {
  if (status.startsWith('UP ')) return 'falling';
  if (status.startsWith('UP')) return 'up';
  if (status === 'OPEN') return 'open';
  if (status.startsWith('MAINT')) return 'maint';
  if (status.startsWith('DOWN ')) return 'rising';
  if (status.startsWith('DOWN') || status === 'STOP') return 'down';
  if (status.startsWith('DRAIN') || status.startsWith('NOLB')) return 'drain';
  if (status === 'PAUSED') return 'paused';
  return 'unchecked';
}

const troubled = new Set(['falling', 'rising', 'down', 'drain', 'maint', 'paused']);

function shape(state) { return element('span', { className: 'shape ' + states[state][1] + ' is-' + state, ariaHidden: 'true' }); }
