// Package backend owns a backend's servers: which of them may be used, how many flows each has, who waits, and which one a
// flow gets.
//
// # The way of a request
//
//  1. [Backend.Admit] chooses a server and claims a slot on it, or queues the request, or says why neither was possible.
//  2. A queued request that gets its slot later is told through [Waiter.Granted], on whatever loop freed the slot. A
//     request that gives up calls [Backend.Cancel], which tells whether the grant had come first.
//  3. [Backend.Redispatch] gives the slot back and admits again, passing over the server that failed.
//  4. [Backend.Release] gives the slot back for good; it goes to whoever waits.
//
// Requests for a deterministic algorithm wait at the server that their hash leads to; all others wait at the backend, where
// any eligible server may take them. Slots and queues are lb/queue's, and so is the proof that nobody is stranded.
//
// # The states of a server
//
// A server has an operation (stopped, starting, running, stopping) and reasons for maintenance and drain; it may be given
// flows when it is starting or running and there is no such reason. Operations come of
//
//   - health checks ([Server.Checked]): a health from 0 to rise+fall-1 that is up from rise on,
//   - the agent ([Server.AgentReported]), which must agree for the server to be up,
//   - the flows' own connects ([Server.Observe]),
//   - the operator ([Server.SetHealth]),
//   - the server that it tracks ([Server.Follow]), instead of all these.
//
// Reasons come of the configuration, the operator and the agent ([Server.SetAdmin]), the tracked server, and a name without an
// address ([Server.SetResolved]). Whatever the cause, every change is one call of Server.become, which has the algorithm, the
// queue, the flows and the log follow. Going out of service sends those back who wait for the server alone; flows that it has
// stay, unless on-marked-down says otherwise; weight and drain never cut a flow.
//
// [Backend.Start] begins it: before, states may be set without a word.
//
// # Concurrency
//
// Every method may be called from every goroutine, but for what is said to come before the start. Backend.mu orders changes of
// the servers' states: health, maintenance, weight, limit. A change takes microseconds, whatever the number of servers, but
// when others begin to serve instead (backups, the panic threshold): then each is opened or closed. So loops may take the lock
// for what is rare: they do when Observe has counted too many failures. Events, calls of Sessions and those of
// Waiter.Granted for waiters that are moved come under it; that is why none of them may block or call back.
//
// Servers come and go while all of this runs ([Backend.Add], [Backend.Remove]): add.go says how.
//
// What flows look at for each request is atomic: who serves now (Backend.serving), limits, slots, the algorithms' own. A flow
// that has looked just before a change goes where it would have gone; if that has closed meanwhile, it looks again.
//
// No two backends' locks are ever held at once: a server that tracks one of another backend takes over what is published there
// (track.go). A request belongs to its flow's loop, and while it waits to lb/queue.
package backend

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/balance"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Backend is a set of servers with one way to choose among them.
type Backend struct {
	Name   string
	Stats  *stats.Counters
	Flows  stats.Gauge      // flows that have this backend, waiting or served
	Waited *stats.Histogram // microseconds that granted flows waited

	// OnEvent is told every change that is worth a line in the log; nil: nobody is. Set it before the backend is used.
	OnEvent func(Event)
	// Sessions ends flows by their server, for on-marked-down and on-marked-up. Set it before the backend is used.
	Sessions Sessions

	// servers is every server, in the order of the configuration; those that were added at run time come last. The list is
	// immutable and replaced as a whole, under mu: whoever loads it may walk over it for as long as it likes, without a lock,
	// and may then meet a server that has been removed since. Such a server stays what it is, a set of counters and a state: it is
	// closed for good, so that nobody is led to it, and it goes when the last one who holds it lets go.
	servers atomic.Pointer[[]*Server]

	proxy      *config.Proxy
	loops      int
	options    balance.Options
	pool       *queue.Pool
	fullConn   int64
	dynamic    atomic.Bool // some server's limit follows the backend's load
	key        func(*Request) uint32
	active     group
	backup     group
	everyone   group // for the panic threshold; without it empty
	allBackups bool
	bound      bool // the algorithm binds a flow to its server: it waits there
	clock      clock
	listen     bool // it is the half of a "listen"

	persists       bool // who waits for a server alone goes on waiting when it goes out of service
	panicThreshold int  // percent

	serving atomic.Pointer[choice] // who serves now; changed under mu, read by every choice

	adding sync.Mutex // orders Add and Remove; taken before mu

	mu sync.Mutex // orders changes of state; what follows is guarded by it

	order      uint32 // of the next server
	started    bool   // events are told
	panics     bool   // the panic threshold reigns
	lastUsable int    // as the last event had it
	cause      cause
	changed    time.Duration // when the whole backend last went up or down
	downTime   time.Duration // of its downs that are over
	downs      uint64
}

// clock is what slow start goes by. Tests have their own.
type clock struct {
	now   func() time.Duration               // since any fixed moment
	after func(d time.Duration, then func()) // calls then once d has passed, on any goroutine
}

var began = time.Now()

var realClock = clock{
	now:   func() time.Duration { return time.Since(began) },
	after: func(d time.Duration, then func()) { time.AfterFunc(d, then) },
}

// New builds the backend of p for the given number of loops. fullConn is the number of flows at which dynamic limits
// reach their servers' maxconn; zero if none has one. An error names the proxy and what cannot be built.
func New(p *config.Proxy, fullConn, loops int) (*Backend, error) {
	return build(p, fullConn, loops, realClock)
}

func build(p *config.Proxy, fullConn, loops int, clock clock) (*Backend, error) {
	b := &Backend{
		clock:      clock,
		Name:       p.Name,
		Stats:      stats.New(loops),
		Waited:     stats.NewHistogram(loops),
		proxy:      p,
		loops:      loops,
		options:    algorithmOptions(p),
		pool:       queue.NewPool(loops),
		fullConn:   int64(fullConn),
		allBackups: p.Options.AllBackups,
		key:        keyFunction(p),
		listen:     p.Kind == config.Listen,
		changed:    clock.now(),

		persists:       p.Options.Persist || p.ForcePersist,
		panicThreshold: p.PanicThreshold,
	}
	var servers []*Server
	for _, c := range p.Servers {
		s := newServer(b, c, loops)
		servers = append(servers, s)
		s.configure(p, c)
		s.group = b.groupOf(c)
		s.index = len(s.group.servers)
		s.group.servers = append(s.group.servers, s)
		if s.follows {
			b.dynamic.Store(true)
		}
	}
	b.servers.Store(&servers)
	if err := b.buildGroups(p); err != nil {
		return nil, err
	}
	for _, s := range servers {
		s.slots.Changed = s.changedLoad
	}
	b.serving.Store(b.decide())
	for _, s := range servers {
		if b.serving.Load().chosen(b, s) {
			s.slots.Open(anyLoop)
		}
	}
	return b, nil
}

// Servers is every server now, in the order of the configuration, those that were added at run time last. The list is immutable:
// keep it for one walk, and ask anew for the next. Any goroutine may call it.
func (b *Backend) Servers() []*Server { return *b.servers.Load() }

// anyLoop is the shard of counters that operators' changes use.
const anyLoop = 0

// Queued is the number of requests that wait for any server.
func (b *Backend) Queued() int { return b.pool.Waiting() }

// HighestQueue is the highest number of requests that waited for any server at once.
func (b *Backend) HighestQueue() int { return b.pool.Highest() }

// QueueCounts is what the queue for any server has counted.
func (b *Backend) QueueCounts() queue.Counts { return b.pool.Counts() }

// ClearHighest makes the highest numbers of flows and waiters begin anew, of the backend and of its servers.
func (b *Backend) ClearHighest() {
	b.Flows.ClearHighest()
	b.pool.ClearHighest()
	b.Stats.ClearLongest()
	for _, s := range b.Servers() {
		s.Flows.ClearHighest()
		s.slots.ClearHighest()
		s.Stats.ClearLongest()
	}
}

// Clear makes all that is counted begin anew, checks and changes of state included; not the times that they took.
func (b *Backend) Clear() {
	b.ClearHighest()
	b.Stats.Clear()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.downs = 0
	for _, s := range b.Servers() {
		s.Stats.Clear()
		s.check.failed, s.downs, s.observed = 0, 0, 0
	}
}

// WithoutRecheck leaves out the look after queueing. For experiments only: waiters are then stranded. Call it before the
// backend is used.
func (b *Backend) WithoutRecheck() { b.pool.NoRecheck = true }

func algorithmOptions(p *config.Proxy) balance.Options {
	return balance.Options{
		Kind:          kinds[p.Balance.Algorithm],
		Draws:         p.Balance.Draws,
		Method:        methods[p.HashType.Method],
		Function:      functions[p.HashType.Function],
		Avalanche:     p.HashType.Avalanche,
		BalanceFactor: p.HashBalanceFactor,
	}
}

var kinds = [...]balance.Kind{
	config.RoundRobin: balance.RoundRobin, config.StaticRR: balance.StaticRR, config.LeastConn: balance.LeastConn,
	config.First: balance.First, config.SourceHash: balance.Source, config.Random: balance.Random, config.Hash: balance.Hash,
}

var methods = [...]balance.Method{
	config.MapBased: balance.MapBased, config.Consistent: balance.Consistent, config.Maglev: balance.Maglev,
}

var functions = [...]balance.Function{
	config.SDBM: balance.SDBM, config.DJB2: balance.DJB2, config.WT6: balance.WT6, config.CRC32: balance.CRC32,
	config.XXHash: balance.XXHash, config.NoHash: balance.None,
}
