package lb

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// What the runtime command line shows of the process.

var processBegan = time.Now()

// buildDate is the day of the commit that the process was built from, as the Go tool noted it.
func buildDate() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if when, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
				return when.Format("2006/01/02")
			}
		}
	}
	return "unknown"
}

// Info describes the process.
func (a *administration) Info() admin.Info {
	g := &a.config.Global
	i := admin.Info{
		Version: Version, Date: buildDate(), Node: g.Node, Description: g.Description, Pid: os.Getpid(),
		Uptime: time.Since(processBegan), Started: processBegan, Loops: len(a.pollers),
		MaxConn: int(a.process.Limit()), HardMaxConn: int(a.maxConn), ConnRateLimit: int(a.process.ConnectionRate.Limit()), SessRateLimit: int(a.process.SessionRate.Limit()),
		Flows: int(a.process.Flows.Value()), MaxPipes: a.pipes,
		Stopping: a.stopping.Load(), DroppedLogs: a.shipper.Dropped(), BusyPolling: g.BusyPolling,
	}
	if i.Node == "" {
		i.Node, _ = os.Hostname()
	}
	if limit := debug.SetMemoryLimit(-1); limit < 1<<62 {
		i.MemoryLimit = limit
	}
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	i.HeapUsed = samples[0].Value.Uint64()
	i.Heap = samples[1].Value.Uint64() - samples[2].Value.Uint64()
	runnable := []metrics.Sample{{Name: "/sched/goroutines/runnable:goroutines"}}
	if metrics.Read(runnable); runnable[0].Value.Kind() == metrics.KindUint64 {
		i.Runnable = int(runnable[0].Value.Uint64())
	}
	for _, l := range a.pollers {
		load := l.Load()
		i.Pipes, i.IdlePipes = i.Pipes+load.Pipes, i.IdlePipes+load.IdlePipes
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		i.Descriptors = int(min(limit.Cur, 1<<31-1))
	}
	for reason := range tcplog.DropReasons {
		i.LogDrops = append(i.LogDrops, admin.Counter{Name: strings.ReplaceAll(reason.String(), " ", "_"), Value: a.shipper.DroppedFor(reason)})
	}
	for _, p := range a.proxies {
		if p.Frontend != nil && p.Frontend.State() == admin.Open {
			i.Listeners += len(p.Frontend.Binds)
		}
	}
	return i
}

// Proxies are those of the configuration that are not disabled.
func (a *administration) Proxies() []*admin.Proxy { return a.proxies }

// Loops tells what each loop has done.
func (a *administration) Loops() []admin.Loop {
	all := make([]admin.Loop, len(a.pollers))
	for i, l := range a.pollers {
		load := l.Load()
		all[i] = admin.Loop{
			Flows: a.process.Loops[i].Open(), Thread: load.Thread, Turns: load.Turns, Events: load.Events, Busy: load.Busy, Waiting: load.Waiting, LongestGap: load.LongestGap,
			Gaps: load.Gaps[:],
		}
		for _, f := range a.frontends {
			all[i].Accepted += f.Stats.Of(i, stats.Connections)
		}
	}
	return all
}

// Steering is what the program has done that spreads connections over loops.
func (a *administration) Steering() *admin.Steering { return a.steering.view(len(a.pollers)) }

// Lookup is what the program has done that brings connections to prefixes to their listeners.
func (a *administration) Lookup() *admin.Lookup { return a.lookup.view() }

// ClearMaxima makes the loops' longest gaps begin anew.
func (a *administration) ClearMaxima() {
	for _, l := range a.pollers {
		l.ClearLongestGap()
	}
}

// Resolvers are the sections' counters, under HAProxy's names.
func (a *administration) Resolvers() []admin.Resolvers {
	var all []admin.Resolvers
	for _, section := range a.Balancer.Resolvers() {
		x := admin.Resolvers{Name: section.Name}
		for _, s := range section.Servers {
			x.Servers = append(x.Servers, admin.NameServer{Name: s.Name, Counters: []admin.Counter{
				{Name: "sent", Value: s.Sent}, {Name: "snd_error", Value: s.SendErrors}, {Name: "valid", Value: s.Valid}, {Name: "update", Value: s.Updates},
				{Name: "cname", Value: s.CNAME}, {Name: "cname_error", Value: s.CNAMEError}, {Name: "any_err", Value: s.AnyError}, {Name: "nx", Value: s.NX},
				{Name: "timeout", Value: s.Timeout}, {Name: "refused", Value: s.Refused}, {Name: "other", Value: s.Other}, {Name: "invalid", Value: s.Invalid},
				{Name: "too_big", Value: s.TooBig}, {Name: "truncated", Value: s.Truncated}, {Name: "outdated", Value: s.Outdated},
			}})
		}
		all = append(all, x)
	}
	return all
}

// Rings are the buffers of log lines.
func (a *administration) Rings() []admin.Ring {
	var rings []admin.Ring
	for _, r := range a.rings {
		rings = append(rings, admin.Ring{
			Name: r.Name(), Description: r.Description(), Dropped: r.Dropped,
			Follow: func(fromEnd bool) admin.RingReader { return r.Follow(fromEnd) },
		})
	}
	return rings
}

// StartupLogs is what was said while the process started.
func (a *administration) StartupLogs() []string {
	if a.startupLogs == nil {
		return nil
	}
	return a.startupLogs()
}

// Sessions hands out the flows of one loop after the other, a bounded number at a time.
func (a *administration) Sessions(addresses bool, each func([]admin.Session) bool) {
	var some []admin.Session
	for _, l := range a.process.Loops {
		listing := l.List(addresses)
		for {
			infos, ok := listing.Next(a.done)
			if !ok {
				return
			}
			if len(infos) == 0 {
				break
			}
			some = some[:0]
			for i := range infos {
				some = append(some, sessionOf(&infos[i]))
			}
			if !each(some) {
				listing.Close()
				return
			}
		}
	}
}

func sessionOf(i *flow.Info) admin.Session {
	s := admin.Session{
		ID: i.ID, Loop: i.Loop, Stage: i.Stage, Frontend: i.Frontend, Backend: i.Backend, Server: i.Server, Bind: i.Bind,
		Client: "unix:1", Unix: i.Unix, IPv6: i.Client.Addr().Is6(), Accepted: i.Accepted, Age: i.Age, Expires: i.Expires, In: i.In, Out: i.Out,
		ToServer: i.HeldFromClient, ToClient: i.HeldToward, Retries: i.Retries, Spliced: i.Spliced, Redirected: i.Redirected, ClientFD: i.ClientFD, ServerFD: i.ServerFD,
		Destination: i.Destination, Source: i.Source, Target: i.Target,
	}
	if i.Client.IsValid() {
		s.Client = i.Client.String()
	}
	return s
}
