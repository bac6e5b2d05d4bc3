package admin

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

func (v view) begin(p *Proxy, name string, typ RowType, id int) *Row {
	*v.row = Row{Type: typ, Proxy: p}
	r := v.row
	r.row[pxname], r.row[svname] = str(p.Name), str(name)
	r.row[pid], r.row[iid], r.row[sid], r.row[kind] = u32(1), u32(p.ID), u32(id), u32(int(typ))
	r.row[mode] = str("tcp")
	if p.HTTP {
		r.row[mode] = str("http")
	}
	r.row[wrew], r.row[eint] = u64(0), u64(0)
	return r
}

// put sets several columns from counters.
func (r *row) put(c *stats.Counters, columns map[int][]stats.ID) {
	for column, ids := range columns {
		var n uint64
		for _, id := range ids {
			n += c.Sum(id)
		}
		r[column] = u64(n)
	}
}

var frontendCounters = map[int][]stats.ID{
	stot: {stats.Sessions}, bin: {stats.BytesIn}, bout: {stats.BytesOut}, dreq: nil, dresp: nil,
	ereq: {stats.HeaderMalformed, stats.HeaderTimeout, stats.HeaderAborted}, reqTot: nil, compIn: nil, compOut: nil, compByp: nil, compRsp: nil,
	connTot: {stats.Connections}, dcon: nil, dses: nil,
}

func (v view) frontendRow(p *Proxy) *Row {
	f := p.Frontend
	whole := v.begin(p, "FRONTEND", FrontendRow, 0)
	r := &whole.row
	r.put(f.Stats, frontendCounters)
	r[scur], r[smax], r[slim] = u32(f.Flows.Value()), u32(f.Flows.Highest()), u32(f.Limit())
	r[status] = str(f.State().String())
	now, most := v.cli.rates.read(f.Stats, stats.Sessions)
	r[rateNow], r[rateLimit], r[rateMax] = u32(now), u32(p.RateLimitSessions), u32(most)
	now, most = v.cli.rates.read(f.Stats, stats.Connections)
	r[connRate], r[connRateMax] = u32(now), u32(most)
	r[reqRate], r[reqRateMax] = u32(0), u32(0)
	return whole
}

func (v view) listenerRow(p *Proxy, b *Bind) *Row {
	name := b.Name
	if name == "" {
		name = fmt.Sprintf("sock-%d", b.ID)
	}
	whole := v.begin(p, name, ListenerRow, b.ID)
	whole.Bind = b
	r := &whole.row
	r.put(b.Stats, map[int][]stats.ID{stot: {stats.Sessions}, bin: {stats.BytesIn}, bout: {stats.BytesOut}, dreq: nil, dresp: nil, ereq: nil, dcon: nil, dses: nil})
	r[stot] = u64(b.Stats.Sum(stats.Connections))
	r[scur], r[smax], r[slim] = u32(b.Flows.Value()), u32(b.Flows.Highest()), u32(b.Limit)
	r[status] = str(p.Frontend.State().String())
	if v.level >= Operator {
		r[addr] = str(b.Address)
	}
	return whole
}

var serverCounters = map[int][]stats.ID{
	stot: {stats.Sessions}, bin: {stats.BytesIn}, bout: {stats.BytesOut}, dresp: nil, econ: {stats.ConnectFailed},
	eresp: {stats.ServerAborts}, wretr: {stats.Retries}, wredis: {stats.Redispatches}, cliAbrt: {stats.ClientAborts}, srvAbrt: {stats.ServerAborts},
	lbtot: {stats.Sessions}, connect: {stats.Connections}, reuse: nil, eint: {stats.ConnectLocal},
}

func (r *row) times(c *stats.Counters) {
	r[qtime], r[ctime], r[rtime], r[ttime] = milliseconds(c.AverageTime(stats.QueueTime)), milliseconds(c.AverageTime(stats.ConnectTime)), u32(0), milliseconds(c.AverageTime(stats.TotalTime))
	r[qtimeMax], r[ctimeMax], r[rtimeMax], r[ttimeMax] = milliseconds(c.LongestTime(stats.QueueTime)), milliseconds(c.LongestTime(stats.ConnectTime)), u32(0), milliseconds(c.LongestTime(stats.TotalTime))
}

// last sets how long ago a flow was assigned.
func (v view) last(r *row, c *stats.Counters) {
	r[lastsess] = s32(-1)
	if d, ever := v.cli.rates.since(c, stats.Sessions); ever {
		r[lastsess] = s32(int(d.Seconds()))
	}
}

func (v view) serverRow(p *Proxy, server *backend.Server) *Row {
	c := server.Config
	st := server.Status()
	whole := v.begin(p, server.Name, ServerRow, server.ID)
	whole.Server = server
	r := &whole.row
	r.put(server.Stats, serverCounters)
	r[stot] = u64(server.Stats.Sum(stats.Connections)) // each attempt counts; lbtot has the flows
	r.times(server.Stats)
	v.last(r, server.Stats)
	r[qcur], r[qmax] = u32(server.Queued()), u32(server.HighestQueue())
	r[scur], r[smax] = u32(server.Flows.Value()), u32(server.Flows.Highest())
	if n := server.MaxConn(); n > 0 {
		r[slim] = u32(n)
	}
	r[status] = str(st.Text)
	r[weight], r[uweight] = u32(effectiveWeight(st)), u32(st.Weight)
	r[act], r[bck] = truth(!c.Backup), truth(c.Backup)
	r[lastchg] = age(st.SinceChange)
	if c.MaxQueue > 0 {
		r[qlimit] = u32(c.MaxQueue)
	}
	if st.SlowStart < 100 && st.Operation == backend.Starting {
		r[throttle] = u32(st.SlowStart)
	}
	if c.Track != "" {
		r[tracked] = str(c.Track)
	}
	now, most := v.cli.rates.read(server.Stats, stats.Sessions)
	r[rateNow], r[rateMax] = u32(now), u32(most)
	if st.Checked && c.Check.Enabled { // the checks of one that tracks another are the other's
		r[chkfail], r[chkdown], r[downtime] = u64(st.FailedChecks), u64(st.Downs), age(st.DownTime)
		r.check(st.Check, checkStatus, checkCode, checkDuration, lastChk, checkDesc)
		r[checkRise], r[checkFall], r[checkHealth] = u32(st.Rise), u32(st.Fall), u32(st.Health)
	}
	if st.Away {
		r.check(st.Check, checkStatus, checkCode, checkDuration, lastChk, checkDesc)
	}
	if st.Agented && c.Check.Agent {
		r.check(st.Agent, agentStatus, agentCode, agentDuration, lastAgt, agentDesc)
		r[agentRise], r[agentFall], r[agentHealth] = u32(st.AgentRise), u32(st.AgentFall), u32(st.AgentHealth)
	}
	if c.Observe != "" {
		r[hanafail] = str(fmt.Sprint(st.ObservedFailures))
	}
	if v.level >= Operator {
		r[addr] = str(v.address(server))
	}
	used := u32(server.Flows.Value())
	r[srvIcur], r[idleConnCur], r[safeConnCur], r[usedConnCur], r[needConnEst] = u32(0), u32(0), u32(0), used, used
	return whole
}

// check sets the columns of one kind of check.
func (r *row) check(c backend.CheckResult, status, code, duration, last, desc int) {
	r[status] = str(c.Status.Name())
	if c.Code > 0 {
		r[code] = u32(c.Code)
	}
	if c.Duration >= 0 && c.Status != backend.CheckUnknown && c.Status != backend.CheckInitial {
		r[duration] = u64(int64(c.Duration / time.Millisecond))
	}
	if c.Text != "" {
		r[last] = str(c.Text)
	}
	if text := c.Status.Text(); text != "" {
		r[desc] = str(text)
	}
}

// effectiveWeight is the weight with what slow start has come to.
func effectiveWeight(st backend.Status) int {
	if st.Operation != backend.Starting || st.Weight == 0 {
		return st.Weight
	}
	return max(st.Weight*st.SlowStart/100, 1)
}

func (v view) address(server *backend.Server) string {
	address, unix := v.cli.process.Address(server)
	switch {
	case unix != "":
		return "unix"
	case !address.IsValid():
		return ""
	}
	return address.String()
}

func (v view) backendRow(p *Proxy) *Row {
	b := p.Backend
	st := b.Status()
	whole := v.begin(p, "BACKEND", BackendRow, 0)
	r := &whole.row
	r.put(b.Stats, serverCounters)
	r[econ] = u64(b.Stats.Sum(stats.ConnectFailed) + b.Stats.Sum(stats.NoServer) + b.Stats.Sum(stats.QueueTimeouts))
	var connects uint64
	for _, server := range b.Servers() {
		connects += server.Stats.Sum(stats.Connections)
	}
	r[connect] = u64(connects)
	r[dreq], r[compIn], r[compOut], r[compByp], r[compRsp] = u64(0), u64(0), u64(0), u64(0), u64(0)
	r.times(b.Stats)
	v.last(r, b.Stats)
	r[qcur], r[qmax] = u32(b.Queued()), u32(b.HighestQueue())
	r[scur], r[smax], r[slim] = u32(b.Flows.Value()), u32(b.Flows.Highest()), u32(p.FullConn)
	r[status] = str("UP")
	if !st.Up && len(b.Servers()) > 0 {
		r[status] = str("DOWN")
	}
	r[weight], r[uweight], r[act], r[bck] = u32(st.Weight), u32(st.Weight), u32(st.Active), u32(st.Backup)
	r[chkdown], r[lastchg], r[downtime] = u64(st.Downs), age(st.SinceChange), age(st.DownTime)
	now, most := v.cli.rates.read(b.Stats, stats.Sessions)
	r[rateNow], r[rateMax] = u32(now), u32(most)
	if v.level >= Operator {
		r[algo] = str(algorithm(p.Proxy))
	}
	r[aggServerStatus], r[aggServerCheckStatus], r[aggCheckStatus] = u32(0), u32(0), u32(0)
	return whole
}

var algorithms = [...]string{
	config.RoundRobin: "roundrobin", config.StaticRR: "static-rr", config.LeastConn: "leastconn", config.First: "first",
	config.SourceHash: "source", config.Random: "random", config.Hash: "hash",
}

func algorithm(p *config.Proxy) string { return algorithms[p.Balance.Algorithm] }

// isMaint tells whether a row is of a server in maintenance.
func (r *row) isMaint() bool { return strings.HasPrefix(r[status].text, "MAINT") }

// isUp tells whether a row is of something that serves.
func (r *row) isUp() bool {
	t := r[status].text
	return !strings.HasPrefix(t, "DOWN") && !strings.HasPrefix(t, "MAINT")
}
