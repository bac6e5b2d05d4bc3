// The columns, in the groups that people know.

const FRONTEND = 0, BACKEND = 1, SERVER = 2, LISTENER = 3;

let place = {}; // of each column in the data's rows

const get = (row, key) => row[place[key]];

const number = { show: v => count(v), title: null };
const big = { show: v => v < 1e6 ? count(v) : short(v), title: count };
const size = { show: bytes, title: v => count(v) + ' bytes' };
const seconds = { show: span, title: v => count(v) + ' s' };
const since = { show: v => v < 0 ? '–' : span(v), title: null };
const times = { show: micro, title: v => count(v) + ' µs' };
const millis = { show: v => micro(v * 1000), title: v => count(v) + ' ms' };
const limit = { show: v => v ? big.show(v) : '–', title: v => v ? count(v) : 'no limit' };

// minor columns are left out on narrow screens.
const groups = [
  ['Queue', [['qcur', 'Cur', number, 'Flows that wait for a slot'], ['qmax', 'Max', number, 'Most that ever waited', true], ['qlimit', 'Limit', limit, 'maxqueue', true]]],
  ['Session rate', [['rate', 'Cur', number, 'Sessions in the last second'], ['rate_max', 'Max', number, 'Most in a second', true], ['rate_lim', 'Limit', limit, 'rate-limit sessions', true]]],
  ['Sessions', [['scur', 'Cur', number, 'Sessions now'], ['smax', 'Max', number, 'Most at once', true], ['slim', 'Limit', limit, 'maxconn, or the backend\'s fullconn'],
    ['stot', 'Total', big, 'Sessions so far; of a server: connects'], ['lbtot', 'LbTot', big, 'Times that the server was chosen', true], ['lastsess', 'Last', since, 'Time since the last session', true]]],
  ['Bytes', [['bin', 'In', size, 'Bytes from clients'], ['bout', 'Out', size, 'Bytes to clients']]],
  ['Denied', [['dreq', 'Req', number, 'Connections that rules denied', true], ['dresp', 'Resp', number, 'Always 0', true]]],
  ['Errors', [['ereq', 'Req', number, 'Connections whose client was at fault', true], ['econ', 'Conn', number, 'Flows for which no server could be reached'], ['eresp', 'Resp', number, 'Flows that their server broke off']]],
  ['Warnings', [['wretr', 'Retr', number, 'Connects that were repeated'], ['wredis', 'Redis', number, 'Of these, at another server', true]]],
  ['Average time', [['queue_us', 'Queue', times, 'Waited for a slot, mean of the last 1024 flows of each loop', true], ['connect_us', 'Conn', times, 'Connecting, mean of the last 1024 flows of each loop'], ['ttime', 'Total', millis, 'Whole sessions, mean of the last 1024 of each loop', true]]],
  ['Server', [['check_status', 'Check', null, 'Last health check, and how long it took'], ['weight', 'Wght', number, 'Weight; of a backend: the sum of those that serve'], ['act', 'Act', number, 'Active servers', true], ['bck', 'Bck', number, 'Backup servers', true],
    ['chkfail', 'Chk', number, 'Checks that failed', true], ['chkdown', 'Dwn', number, 'Times that it went down'], ['downtime', 'Dwntme', seconds, 'Time spent down', true], ['throttle', 'Thrtle', { show: v => v + '%', title: null }, 'Slow start: share of the weight', true]]],
];

const columns = [];
for (const [group, members] of groups) {
  members.forEach(([key, label, format, title, minor], i) => columns.push({ key, label, format, title, minor: !!minor, group, first: i === 0 }));
}

// cell gives what a column shows of a row: text, title, and whether it is nothing to look at.
function cell(column, row) {
  const v = get(row, column.key);
  if (column.key === 'check_status') {
    if (v === null) return ['', '', true];
    const took = get(row, 'check_duration');
    return [v + (took === null ? '' : ' ' + took + 'ms'), [get(row, 'check_desc'), get(row, 'last_chk')].filter(Boolean).join(': '), false];
  }
  if (v === null) return ['', '', true];
  if ((column.key === 'act' || column.key === 'bck') && get(row, 'type') === SERVER) return [v ? 'Y' : '–', '', !v];
  return [column.format.show(v), column.format.title ? column.format.title(v) : '', v === 0];
}
