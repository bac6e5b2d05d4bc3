// Changes of servers. Each is confirmed if it takes something away.

let token = '';

// kinds of actions: name, label, and what is asked before those that take something away.
const kinds = [
  ['State', [['ready', 'Ready'], ['drain', 'Drain'], ['maint', 'Maintenance', 'Put into maintenance']]],
  ['Health', [['hrunn', 'Up'], ['hnolb', 'Stopping', 'Take for stopping'], ['hdown', 'Down', 'Take for down'], ['ehlth', 'Checks on'], ['dhlth', 'Checks off', 'Stop health checks']]],
  ['Agent', [['arunn', 'Up'], ['adown', 'Down', 'Take the agent for down'], ['eagent', 'On'], ['dagent', 'Off', 'Ask the agent no more']]],
  ['Sessions', [['shutdown', 'Shut down', 'Shut down all sessions']]],
];

function makeActions() {
  const bar = $('actions');
  bar.append(element('strong', { id: 'selected' }));
  for (const [name, members] of kinds) {
    const part = element('span', { className: 'kind', role: 'group', ariaLabel: name }, element('span', { className: 'label', textContent: name }));
    for (const [action, label, harsh] of members) {
      part.append(element('button', { type: 'button', 'data-action': action, className: harsh ? 'harsh' : '', textContent: label, onclick: () => act(action, harsh || name + ': ' + label.toLowerCase(), !!harsh) }));
    }
    bar.append(part);
  }
  bar.append(element('button', { type: 'button', className: 'quiet', textContent: 'Select none', onclick: () => { selected.clear(); showActions(); refreshAll(); } }));
}

function showActions() {
  const n = selected.size;
  $('actions').hidden = n === 0;
  root.classList.toggle('selecting', n > 0);
  $('selected').textContent = count(n) + (n === 1 ? ' server' : ' servers');
}

// ask shows a dialog; true: go on.
function ask(title, text, list, yes) {
  const dialog = $('confirm');
  dialog.querySelector('h2').textContent = title;
  dialog.querySelector('p').textContent = text;
  const names = list.slice(0, 12);
  if (list.length > names.length) names.push('and ' + count(list.length - names.length) + ' more');
  dialog.querySelector('ul').replaceChildren(...names.map(n => element('li', { textContent: n })));
  dialog.querySelector('[value=yes]').textContent = yes;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise(done => dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true }));
}

async function act(action, words, harsh) {
  const names = [...selected];
  if (harsh && !await ask(words + '?', names.length === 1 ? 'This server:' : 'These ' + count(names.length) + ' servers:', names, words)) return;
  const form = new URLSearchParams({ action });
  for (const name of names) form.append('s', name);
  try {
    const answer = await fetch(address(''), { method: 'POST', headers: { 'X-Sluice-Token': token }, body: form });
    if (!answer.ok) { toast(words + ': refused. ' + (await answer.text()).trim(), true); return; }
    const results = await answer.json(), failed = results.filter(r => !r.ok);
    if (failed.length < results.length) toast(words + ': done for ' + count(results.length - failed.length) + (results.length - failed.length === 1 ? ' server' : ' servers') + '.');
    for (const r of failed.slice(0, 5)) toast(r.server + ': ' + r.text, true);
    if (failed.length > 5) toast('… and ' + count(failed.length - 5) + ' more failed.', true);
  } catch (e) {
    toast(words + ': no answer.', true);
  }
  poll(true);
}

function toast(text, bad) {
  const t = element('div', { className: bad ? 'toast bad' : 'toast' }, element('span', { textContent: text }), element('button', { type: 'button', className: 'quiet', ariaLabel: 'Dismiss', textContent: '×', onclick: () => t.remove() }));
  $('toasts').append(t);
  if (!bad) setTimeout(() => t.remove(), 6000);
}
