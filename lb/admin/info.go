package admin

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/sluice-lb/sluice/lb/stats"
)

// infoField is one line of "show info". Its position is its place in the table.
type infoField struct {
	column
	of func(*infoState) Value
}

// infoState is what the fields are taken from.
type infoState struct {
	Info
	connections, sessions         uint64
	bytesOut, spliced             uint64
	connRate, connMost            uint64
	sessRate, sessMost, bytesRate uint64
	idle                          int // percent
	failedResolutions             uint64
}

func zero(*infoState) Value { return u32(0) }

// infoFields in HAProxy's order, at HAProxy's positions. Fields of what is not there (TLS, compression, peers) are 0, as they
// are in HAProxy when it is not used.
var infoFields = []infoField{
	{column{"Name", "POS", "the product"}, func(i *infoState) Value { return str("sluice") }},
	{column{"Version", "POS", "its version"}, func(i *infoState) Value { return str(i.Version) }},
	{column{"Release_date", "POS", "when it was built from what"}, func(i *infoState) Value { return str(i.Date) }},
	{column{"Nbthread", "CGS", "loops"}, func(i *infoState) Value { return u32(i.Loops) }},
	{column{"Nbproc", "CGS", "processes: always 1"}, func(*infoState) Value { return u32(1) }},
	{column{"Process_num", "KGP", "number of this process: always 1"}, func(*infoState) Value { return u32(1) }},
	{column{"Pid", "SGP", "the system's number of the process"}, func(i *infoState) Value { return u32(i.Pid) }},
	{column{"Uptime", "MDP", "time since start"}, func(i *infoState) Value { return str(clock(i.Uptime)) }},
	{column{"Uptime_sec", "MDP", "time since start in seconds"}, func(i *infoState) Value {
		v := age(i.Uptime)
		v.exact = i.Uptime.Seconds()
		return v
	}},
	{column{"Memmax_MB", "CLP", "limit of the heap in MiB (-m); 0: none"}, func(i *infoState) Value { return u32(i.MemoryLimit >> 20) }},
	{column{"PoolAlloc_MB", "MGP", "memory got from the system for the heap, in MiB"}, func(i *infoState) Value { return u32(i.Heap >> 20) }},
	{column{"PoolUsed_MB", "MGP", "heap in use, in MiB"}, func(i *infoState) Value { return u32(i.HeapUsed >> 20) }},
	{column{"PoolFailed", "MCP", "allocations that failed: the process would have ended"}, zero},
	{column{"Ulimit-n", "CLP", "limit of descriptors"}, func(i *infoState) Value { return u32(i.Descriptors) }},
	{column{"Maxsock", "CLP", "limit of descriptors"}, func(i *infoState) Value { return u32(i.Descriptors) }},
	{column{"Maxconn", "CLP", "connections at once, now"}, func(i *infoState) Value { return u32(i.MaxConn) }},
	{column{"Hard_maxconn", "CLP", "connections at once, as planned at start"}, func(i *infoState) Value { return u32(i.HardMaxConn) }},
	{column{"CurrConns", "MGP", "connections now"}, func(i *infoState) Value { return u32(i.Flows) }},
	{column{"CumConns", "MCP", "connections so far"}, func(i *infoState) Value { return u32(i.connections) }},
	{column{"CumReq", "MCP", "sessions so far"}, func(i *infoState) Value { return u32(i.sessions) }},
	{column{"MaxSslConns", "MMP", "not used here"}, zero},
	{column{"CurrSslConns", "MGP", "not used here"}, zero},
	{column{"CumSslConns", "MCP", "not used here"}, zero},
	{column{"Maxpipes", "CLP", "splice pipes at once; 0: no limit of their own"}, func(i *infoState) Value { return u32(i.MaxPipes) }},
	{column{"PipesUsed", "MGP", "splice pipes that flows have"}, func(i *infoState) Value { return u32(i.Pipes) }},
	{column{"PipesFree", "MGP", "splice pipes that are kept for others"}, func(i *infoState) Value { return u32(i.IdlePipes) }},
	{column{"ConnRate", "MRP", "connections in the last second"}, func(i *infoState) Value { return u32(i.connRate) }},
	{column{"ConnRateLimit", "CLP", "limit of it; 0: none"}, func(i *infoState) Value { return u32(i.ConnRateLimit) }},
	{column{"MaxConnRate", "MMP", "highest ConnRate"}, func(i *infoState) Value { return u32(i.connMost) }},
	{column{"SessRate", "MRP", "sessions in the last second"}, func(i *infoState) Value { return u32(i.sessRate) }},
	{column{"SessRateLimit", "CLP", "limit of it; 0: none"}, func(i *infoState) Value { return u32(i.SessRateLimit) }},
	{column{"MaxSessRate", "MRP", "highest SessRate"}, func(i *infoState) Value { return u32(i.sessMost) }},
	{column{"SslRate", "MRP", "not used here"}, zero},
	{column{"SslRateLimit", "CLP", "not used here"}, zero},
	{column{"MaxSslRate", "MMP", "not used here"}, zero},
	{column{"SslFrontendKeyRate", "MGP", "not used here"}, zero},
	{column{"SslFrontendMaxKeyRate", "MMP", "not used here"}, zero},
	{column{"SslFrontendSessionReuse_pct", "MGP", "not used here"}, zero},
	{column{"SslBackendKeyRate", "MRP", "not used here"}, zero},
	{column{"SslBackendMaxKeyRate", "MMP", "not used here"}, zero},
	{column{"SslCacheLookups", "MCP", "not used here"}, zero},
	{column{"SslCacheMisses", "MCP", "not used here"}, zero},
	{column{"CompressBpsIn", "MRP", "not used here"}, zero},
	{column{"CompressBpsOut", "MRP", "not used here"}, zero},
	{column{"CompressBpsRateLim", "CLP", "not used here"}, zero},
	{}, // 45 and 46 are for a build of HAProxy with zlib
	{},
	{column{"Tasks", "MGP", "flows"}, func(i *infoState) Value { return u32(i.Flows) }},
	{column{"Run_queue", "MGP", "goroutines that wait for a processor"}, func(i *infoState) Value { return u32(i.Runnable) }},
	{column{"Idle_pct", "MaP", "percent of their time that the loops wait for events, since start"}, func(i *infoState) Value { return u32(i.idle) }},
	{column{"node", "COS", "name of the node"}, func(i *infoState) Value { return str(i.Node) }},
	{column{"description", "COS", "description of the node"}, func(i *infoState) Value {
		if i.Description == "" {
			return Value{}
		}
		return str(i.Description)
	}},
	{column{"Stopping", "MGP", "1: it takes no more connections"}, func(i *infoState) Value { return truth(i.Stopping) }},
	{column{"Jobs", "MGP", "connections and listeners"}, func(i *infoState) Value { return u32(i.Flows + i.Listeners) }},
	{column{"Unstoppable Jobs", "MGP", "not used here"}, zero},
	{column{"Listeners", "MGP", "listening addresses"}, func(i *infoState) Value { return u32(i.Listeners) }},
	{column{"ActivePeers", "MGP", "not used here"}, zero},
	{column{"ConnectedPeers", "MGP", "not used here"}, zero},
	{column{"DroppedLogs", "MGP", "log lines that could not be sent"}, func(i *infoState) Value { return u32(i.DroppedLogs) }},
	{column{"BusyPolling", "MGP", "1: busy-polling is on"}, func(i *infoState) Value { return truth(i.BusyPolling) }},
	{column{"FailedResolutions", "MGP", "questions to name servers without a good answer"}, func(i *infoState) Value { return u32(i.failedResolutions) }},
	{column{"TotalBytesOut", "MGP", "bytes to clients"}, func(i *infoState) Value { return u64(i.bytesOut) }},
	{column{"TotalSplicdedBytesOut", "MGP", "bytes moved by splice, both ways"}, func(i *infoState) Value { return u64(i.spliced) }},
	{column{"BytesOutRate", "MRP", "bytes to clients in the last second"}, func(i *infoState) Value { return u64(i.bytesRate) }},
	{column{"DebugCommandsIssued", "MGP", "not used here"}, zero},
	{column{"CumRecvLogs", "MCP", "not used here"}, zero},
	{column{"Build info", "POS", "version and commit"}, func(i *infoState) Value { return str(i.Version) }},
	{column{"Memmax_bytes", "CLP", "limit of the heap in bytes; 0: none"}, func(i *infoState) Value { return u32(i.MemoryLimit) }},
	{column{"PoolAlloc_bytes", "MGP", "memory got from the system for the heap"}, func(i *infoState) Value { return u64(i.Heap) }},
	{column{"PoolUsed_bytes", "MGP", "heap in use"}, func(i *infoState) Value { return u64(i.HeapUsed) }},
	{column{"Start_time_sec", "MDP", "when it began, in seconds since 1970"}, func(i *infoState) Value {
		v := u32(i.Started.Unix())
		v.exact = float64(i.Started.UnixMicro()) / 1e6
		return v
	}},
	{column{"Tainted", "SGP", "always 0"}, func(*infoState) Value { return str("0") }},
}

// gather collects what the fields need.
func (c *CLI) gather() *infoState {
	i := &infoState{Info: c.process.Info()}
	for _, p := range c.process.Proxies() {
		f := p.Frontend
		if f == nil {
			continue
		}
		i.connections += f.Stats.Sum(stats.Connections)
		i.sessions += f.Stats.Sum(stats.Sessions)
		i.bytesOut += f.Stats.Sum(stats.BytesOut)
		i.spliced += f.Stats.Sum(stats.Spliced)
		for _, x := range []struct {
			id        stats.ID
			now, most *uint64
		}{{stats.Connections, &i.connRate, &i.connMost}, {stats.Sessions, &i.sessRate, &i.sessMost}, {stats.BytesOut, &i.bytesRate, new(uint64)}} {
			now, most := c.rates.read(f.Stats, x.id)
			*x.now += now
			*x.most += most
		}
	}
	i.idle = 100
	var busy, all int64
	for _, l := range c.process.Loops() {
		busy, all = busy+int64(l.Busy), all+int64(l.Busy+l.Waiting)
	}
	if all > 0 {
		i.idle = int(100 - (busy*100+all/2)/all)
	}
	for _, section := range c.process.Resolvers() {
		for _, server := range section.Servers {
			for _, counter := range server.Counters {
				if slices.Contains([]string{"any_err", "nx", "timeout", "refused", "other", "invalid"}, counter.Name) {
					i.failedResolutions += counter.Value
				}
			}
		}
	}
	return i
}

// Information walks over the fields of "show info", in their order.
func (c *CLI) Information(yield func(name string, v Value) bool) {
	state := c.gather()
	for i := range infoFields {
		f := &infoFields[i]
		if f.of == nil {
			continue
		}
		if v := f.of(state); !v.Empty() && !yield(f.name, v) {
			return
		}
	}
}

// showInfo is "show info [typed|json] [desc] [float]".
func (s *session) showInfo(arguments []string) {
	state, a := s.cli.gather(), s.answer
	desc, float := slices.Contains(arguments, "desc"), slices.Contains(arguments, "float")
	asJSON, typed := slices.Contains(arguments, "json"), slices.Contains(arguments, "typed")
	if asJSON {
		a.printf("[")
	}
	first := true
	for position := range infoFields {
		f := &infoFields[position]
		if f.of == nil {
			continue
		}
		v := f.of(state)
		if v.Empty() {
			continue
		}
		text := v.String()
		if float && v.exact != 0 {
			text = strconv.FormatFloat(v.exact, 'f', 6, 64)
		}
		switch {
		case asJSON:
			if !first {
				a.printf(",")
			}
			a.printf("{")
			writeJSON(a, position, &f.column, v)
		case typed:
			a.printf("%d.%s.1:%s:%s:%s%s\n", position, f.name, f.tags, v.kind, text, described(desc, &f.column))
		default:
			a.printf("%s: %s%s\n", f.name, text, described(desc, &f.column))
		}
		first = false
	}
	if asJSON {
		a.printf("]\n")
	}
}

func described(wanted bool, c *column) string {
	if !wanted {
		return ""
	}
	return fmt.Sprintf(":%q", c.help)
}
