// What was seen of each proxy, and of all together, for the charts. It begins when the page is opened.

const most = 900; // points kept

class History {
  constructor() { this.time = []; this.values = {}; this.last = null; }

  // add takes the counters of a moment: gauges as they are, and what has grown as a rate.
  add(time, now) {
    const before = this.last, passed = before ? (time - before.time) / 1000 : 0;
    const rate = key => before && passed > 0 && now[key] >= before[key] ? (now[key] - before[key]) / passed : null;
    this.push(time, { open: now.open, fresh: rate('total'), in: rate('in'), out: rate('out'), queue: now.queue, connect: now.connect });
    this.last = { time, ...now };
  }

  push(time, point) {
    this.time.push(time);
    for (const key of Object.keys(point)) (this.values[key] ||= []).push(point[key]);
    if (this.time.length > most) {
      this.time.shift();
      for (const key of Object.keys(this.values)) this.values[key].shift();
    }
  }

  latest(key) { const v = this.values[key]; return v && v.length ? v[v.length - 1] : null; }
}

const histories = new Map();
const everything = new History();

// record notes what the data says. Connections and bytes of all proxies are those of the frontends, so that none counts twice.
function record(time, proxies) {
  const sum = { open: 0, total: 0, in: 0, out: 0, queue: 0, connect: null };
  let weight = 0, connect = 0;
  for (const proxy of proxies) {
    let front = null, back = null;
    for (const row of proxy.rows) {
      const type = get(row, 'type');
      if (type === FRONTEND) front = row; else if (type === BACKEND) back = row;
    }
    const side = front || back;
    if (!side) continue;
    const now = {
      open: get(side, 'scur'), total: get(side, 'stot'), in: get(side, 'bin'), out: get(side, 'bout'), queue: back ? get(back, 'qcur') : 0,
      connect: back && get(back, 'connect_us') ? get(back, 'connect_us') : null,
    };
    let history = histories.get(proxy.name);
    if (!history) histories.set(proxy.name, history = new History());
    const before = history.last ? history.last.total : 0;
    history.add(time, now);
    if (front) { sum.open += now.open; sum.total += now.total; sum.in += now.in; sum.out += now.out; }
    sum.queue += now.queue;
    if (now.connect !== null) {
      const sessions = Math.max(now.total - before, 0) + 1e-6; // those that say something now count most
      weight += sessions; connect += now.connect * sessions;
    }
  }
  if (weight > 0) sum.connect = connect / weight;
  everything.add(time, sum);
}
