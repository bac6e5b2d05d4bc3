// The columns, in the groups that people know.

const FRONTEND = 0, BACKEND = 1, SERVER = 2, LISTENER = 3;

let place = {}; // of each column in the data's rows

const get = (row, key) => row[place[key]];

const compact = v => v < 1e5 ? count(v) : short(v);
const number = { show: compact, title: v => v < 1e5 ? '' : count(v) };
const size = { show: bytes, title: v => count(v) + ' bytes' };
const seconds = { show: span, title: v => count(v) + ' s' };
const since = { show: v => v < 0 ? '–' : span(v), title: v => v < 0 ? 'never' : count(v) + ' s' };
const times = { show: v => v ? micro(v) : '0', title: v => count(v) + ' µs' };
const millis = { show: v => v ? micro(v * 1000) : '0', title: v => count(v) + ' ms' };
const limit = { show: v => v ? compact(v) : '–', title: v => v ? count(v) : 'no limit' };
const percent = { show: v => v + '%', title: () => '' };

// Each column has its key in the data, its label, its width in pixels, its form, what it means, and the label that it has on a
// narrow screen; without one it is not there. What has a star is there only when it is not 0.
const groups = [
  ['Queue', [['qcur', 'Cur', 34, number, 'flows that wait for a slot', 'Queue'], ['qmax', 'Max', 34, number, 'most that ever waited'], ['qlimit', 'Limit', 34, limit, 'maxqueue']]],
  ['Session rate', [['rate', 'Cur', 38, number, 'sessions in the last second', 'Rate'], ['rate_max', 'Max', 40, number, 'most in a second'], ['rate_lim', 'Limit', 38, limit, 'rate-limit sessions']]],
  ['Sessions', [['scur', 'Cur', 40, number, 'sessions now', 'Sessions'], ['smax', 'Max', 40, number, 'most at once'], ['slim', 'Limit', 46, limit, 'maxconn; of a backend, fullconn', 'Limit'],
    ['stot', 'Total', 50, number, 'sessions so far; of a server, connects', 'Total'], ['lbtot', 'LbTot', 48, number, 'times that the server was chosen'], ['lastsess', 'Last', 40, since, 'time since the last session']]],
  ['Bytes', [['bin', 'In', 50, size, 'bytes from clients', 'In'], ['bout', 'Out', 50, size, 'bytes to clients', 'Out']]],
  ['Denied', [['dreq', 'Req', 34, number, 'connections that rules denied', 'Denied*'], ['dresp', 'Resp', 36, number, 'always 0']]],
  ['Errors', [['ereq', 'Req', 34, number, 'connections whose client was at fault', 'Client errors*'], ['econ', 'Conn', 38, number, 'flows for which no server could be reached', 'Conn errors*'], ['eresp', 'Resp', 38, number, 'flows that their server broke off', 'Resp errors*']]],
  ['Warnings', [['wretr', 'Retr', 38, number, 'connects that were repeated', 'Retries*'], ['wredis', 'Redis', 40, number, 'of these, at another server', 'Redispatch*']]],
  ['Average time', [['queue_us', 'Queue', 50, times, 'waiting for a slot, mean of about the last 1024 flows of each loop', 'Wait*'], ['connect_us', 'Conn', 50, times, 'connecting, mean of about the last 1024 flows of each loop', 'Connect*'], ['ttime', 'Total', 50, millis, 'whole sessions, mean of about the last 1024 of each loop']]],
  ['Server', [['check_status', 'Check', 78, null, 'last health check, and how long it took', 'Check'], ['weight', 'Wght', 38, number, 'weight; of a backend, the sum of those that serve', 'Weight'], ['act', 'Act', 28, number, 'active servers'], ['bck', 'Bck', 28, number, 'backup servers'],
    ['chkfail', 'Chk', 34, number, 'checks that failed'], ['chkdown', 'Dwn', 34, number, 'times that it went down', 'Downs*'], ['downtime', 'Dwntme', 48, seconds, 'time spent down'], ['throttle', 'Thrtle', 42, percent, 'slow start: share of the weight', 'Slow start*']]],
];

const keyWidth = 112, stateWidth = 118;
const columns = [];
for (const [group, members] of groups) {
  members.forEach(([key, label, width, format, title, phone], i) =>
    columns.push({ key, label, width, format, title, group, first: i === 0, phone: (phone || '').replace('*', ''), rare: (phone || '').endsWith('*') }));
}
const tableWidth = columns.reduce((sum, c) => sum + c.width, keyWidth + stateWidth);

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
  return [column.format.show(v), column.format.title(v), v === 0];
}
