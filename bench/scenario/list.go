package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
)

// All is every scenario, in the order in which they are run and shown.
var All = slices.Concat(small, ends, bulk, latency, memory, rest, priorities, features)

// Metrics that scenarios name; package result defines them.
var (
	cost  = []string{"cpu", "machine", "rate"}
	delay = []string{"p99", "p50", "p999", "cpu"}
)

var small = []Scenario{
	keepAlive(1),
	keepAlive(10),
	paced(keepAlive(10), 0.88),
	keepAlive(200),
	paced(keepAlive(200), 0.80),
	keepAlive(1000),
	{
		Name: "http-200", Title: "HTTP keep-alive request, 200 connections", Why: "The same with a real server: nginx answers with six bytes from memory.",
		Load: load.Spec{Kind: load.Request, Connections: 200, Protocol: load.HTTP}, Web: true, Unit: Request, Main: cost, Rounds: 5,
	},
	func() Scenario {
		s := keepAlive(200)
		s.Name, s.Title = "keepalive-200-loops-2", "keep-alive request, 200 connections, two loops"
		s.Why, s.Loops = "Do two loops do twice the work? On two cores the load has none for itself then: compare subjects, not rates.", 2
		return s
	}(),
	func() Scenario {
		s := keepAlive(200)
		s.Name, s.Title, s.Veth = "keepalive-200-veth", "keep-alive request, 200 connections, over veth", true
		s.Why = "The same between network namespaces, where packets pass a device and its queue as they do on a network."
		return s
	}(),
}

func keepAlive(connections int) Scenario {
	return Scenario{
		Name: fmt.Sprintf("keepalive-%d", connections), Title: fmt.Sprintf("keep-alive request, %s", count(connections, "connection")),
		Why:  "What a small request and its response cost, 64 bytes each, when connections stay.",
		Load: load.Spec{Kind: load.Request, Connections: connections}, Origin: origin.Lean, Unit: Request, Main: cost,
	}
}

// burst is how many requests come at a time where they come at a rate. One after the other at equal steps they would wake load, balancer
// and origin for each, which on few cores costs more than the requests, and is no more like what clients do.
const burst = 16

// paced is a scenario at a rate that every balancer can take, the same for all. It has the targets: in a closed loop a balancer that
// costs less than load and origin together is limited by them, and in no ratio. The work of all is the same: requests come in
// bunches, and each balancer has time for them before the next comes.
func paced(s Scenario, target float64) Scenario {
	s.Name, s.Title, s.Target, s.Quick = s.Name+"-paced", s.Title+", at the same rate for all", target, true
	s.Why = "The cost at equal work: 60 % of what the slowest balancer can do, in bursts."
	s.Load.Burst = min(burst, s.Load.Connections)
	s.Capacity, s.Of, s.Main = 0.6, Lowest, []string{"cpu", "machine", "p99"}
	return s
}

var ends = []Scenario{
	{
		Name: "close", Title: "connect, request, close, 100 at once", Why: "What a connection costs that carries one request.",
		Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 100}, Origin: origin.Lean, Unit: Connection, Main: cost,
	},
	{
		Name: "http-close", Title: "HTTP connect, request, close, 100 at once", Why: "The same with a real server.",
		Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 100, Protocol: load.HTTP}, Web: true, Unit: Connection, Main: cost, Rounds: 5,
	},
	paced(Scenario{
		Name: "close", Title: "connect, request, close",
		Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 100}, Origin: origin.Lean, Unit: Connection,
	}, 0.90),
	{
		Name: "connect", Title: "connect, close, 100 at once", Why: "A connection that carries nothing: the server closes at once.",
		Load: load.Spec{Kind: load.ConnectClose, Connections: 100}, Origin: origin.AcceptClose, Unit: Connection, Main: cost,
	},
	{
		Name: "close-veth", Title: "connect, request, close, 100 at once, over veth", Why: "As above, between network namespaces.",
		Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 100}, Origin: origin.Lean, Unit: Connection, Main: cost, Veth: true,
	},
}

var bulk = func() (list []Scenario) {
	titles := map[load.Kind]string{load.BulkDown: "download", load.BulkUp: "upload", load.BulkBoth: "both ways"}
	for _, streams := range []int{1, 8} {
		for _, kind := range []load.Kind{load.BulkDown, load.BulkUp, load.BulkBoth} {
			s := Scenario{
				Name: fmt.Sprintf("%s-%d", kind, streams), Title: fmt.Sprintf("%s, %s", titles[kind], count(streams, "stream")),
				Why:  "What a byte costs when there are many.",
				Load: load.Spec{Kind: kind, Connections: streams}, Unit: Gigabyte, Main: cost, Quick: kind == load.BulkDown,
			}
			if kind != load.BulkBoth {
				s.Target = map[int]float64{1: 0.90, 8: 0.80}[streams]
			}
			list = append(list, s)
		}
	}
	return list
}()

var latency = []Scenario{
	{
		Name: "mixed", Title: "50 small requests at a time beside 4 downloads", Why: "Do small requests wait behind bulk?",
		Load: load.Spec{Kind: load.Mixed, Connections: 50, BulkConnections: 4, Bulk: load.BulkDown}, Unit: Request, Main: delay,
	},
	atCapacity("latency-50", 0.5, "", "Half of what each subject can do: how long does a request take while there is room?"),
	atCapacity("latency-80", 0.8, "", "Near the limit, queues grow. The schedule does not wait for responses, so a stall shows in full."),
	func() Scenario {
		s := atCapacity("latency-haproxy-50", 0.5, "haproxy", "The same rate for all, so that a subject with a larger capacity has more room: what a user sees who changes the balancer.")
		s.Target, s.Quick = 0.90, true
		return s
	}(),
}

func atCapacity(name string, share float64, of, why string) Scenario {
	whose := "each subject's"
	if of != "" {
		whose = of + "'s"
	}
	return Scenario{
		Name: name, Title: fmt.Sprintf("latency at %.0f %% of %s capacity", 100*share, whose), Why: why,
		Load: load.Spec{Kind: load.Request, Connections: 200, Burst: burst}, Origin: origin.Lean, Unit: Request, Main: delay, Capacity: share, Of: of,
	}
}

var memory = []Scenario{
	{
		Name: "idle", Title: "idle flows", Why: "What a connection costs that only is there: the balancer's process and the kernel apart.",
		Load: load.Spec{Kind: load.Idle, Connections: 20000}, Unit: Flow, Main: []string{"process_per_flow", "kernel_per_flow"}, Target: 0.20,
		Memory: true, Quick: true,
	},
	{
		Name: "slow-readers", Title: "1,000 clients that do not read", Why: "What is held for clients that do not take what they asked for? Mostly the kernel's buffers, if the balancer stops reading in time.",
		Load: load.Spec{Kind: load.SlowReaders, Connections: 1000}, Unit: Flow, Main: []string{"process_per_flow", "kernel_per_flow"},
		Memory: true, Rounds: 3,
	},
}

var rest = func() (list []Scenario) {
	list = append(list, Scenario{
		Name: "queue", Title: "maxconn 1, 50 clients in the queue", Why: "How long does it take to give a freed slot to the next in the queue?",
		Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 50}, Origin: origin.Lean, Unit: Connection, ServerMaxConn: 1,
		Main: []string{"time", "cpu", "p99"}, Target: 0.80, Quick: true,
	})
	for _, servers := range []int{10, 100, 1000} {
		list = append(list, Scenario{
			Name: fmt.Sprintf("servers-%d", servers), Title: fmt.Sprintf("connect, request, close, %d servers", servers),
			Why:  "Does the choice of a server become dearer when there are many?",
			Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 100}, Origin: origin.Lean, Unit: Connection, Servers: servers, Main: cost, Rounds: 5,
		})
	}
	return append(list, Scenario{
		Name: "storm", Title: "the origin restarts under 500 connections", Why: "All connections are lost at once and come back together.",
		Load: load.Spec{Kind: load.Request, Connections: 500}, Unit: Request, RestartAfter: 0.2, RestartGap: 100 * time.Millisecond,
		Main: []string{"recovery", "cpu", "p999"}, Rounds: 5, Length: 3 * time.Second, // a refused connect is tried again after a second
	})
}()

// Choose gives the scenarios that a comma-separated list names, in the order of All. A word ending in "*" names all that begin so.
func Choose(list string) ([]Scenario, error) {
	var chosen []Scenario
	words := strings.Split(list, ",")
	for _, w := range words {
		if !slices.ContainsFunc(All, func(s Scenario) bool { return matches(s.Name, w) }) {
			return nil, fmt.Errorf("there is no scenario '%s'", w)
		}
	}
	for _, s := range All {
		if slices.ContainsFunc(words, func(w string) bool { return matches(s.Name, w) }) {
			chosen = append(chosen, s)
		}
	}
	return chosen, nil
}

func matches(name, word string) bool {
	prefix, wild := strings.CutSuffix(word, "*")
	return name == word || wild && strings.HasPrefix(name, prefix)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
