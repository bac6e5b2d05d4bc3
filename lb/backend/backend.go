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
// # Concurrency
//
// Every method may be called from every loop. Backend.mu orders changes of the servers' states: weight, maintenance, limit;
// what flows look at is atomic. A request belongs to its flow's loop, and while it waits to lb/queue.
package backend

import (
	"fmt"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/lb/balance"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Backend is a set of servers with one way to choose among them.
type Backend struct {
	Name    string
	Servers []*Server
	Stats   *stats.Counters
	Flows   stats.Gauge      // flows that have this backend, waiting or served
	Waited  *stats.Histogram // microseconds that granted flows waited

	// OnEvent is told every change that is worth a line in the log; nil: nobody is. Set it before the backend is used.
	OnEvent func(Event)
	// Sessions ends flows by their server, for on-marked-down and on-marked-up. Set it before the backend is used.
	Sessions Sessions

	pool       *queue.Pool
	fullConn   int64
	dynamic    bool // some server's limit follows the backend's load
	key        func(*Request) uint32
	active     group
	backup     group
	allBackups bool
	bound      bool // the algorithm binds a flow to its server: it waits there
	clock      clock

	mu sync.Mutex // orders changes of state
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

// group is the active servers or the backup servers, each with an algorithm of its own: the manual uses backups only when
// no active server is left.
type group struct {
	servers   []*Server
	algorithm balance.Algorithm
	static    bool // a server keeps the weight with which it came in: slow start does not touch it
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
		pool:       queue.NewPool(loops),
		fullConn:   int64(fullConn),
		allBackups: p.Options.AllBackups,
		key:        keyFunction(p),
	}
	for i, c := range p.Servers {
		s := newServer(b, c, i, loops)
		b.Servers = append(b.Servers, s)
		into := &b.active
		if c.Backup {
			into = &b.backup
		}
		s.group, s.index = into, len(into.servers)
		into.servers = append(into.servers, s)
		b.dynamic = b.dynamic || s.follows
	}
	for _, g := range []*group{&b.active, &b.backup} {
		if err := g.build(p); err != nil {
			return nil, fmt.Errorf("backend '%s': %w", p.Name, err)
		}
		b.bound = b.bound || g.algorithm != nil && g.algorithm.Waits()
	}
	for _, s := range b.Servers {
		s.slots.Changed = s.changed
	}
	b.refresh()
	return b, nil
}

func (g *group) build(p *config.Proxy) error {
	if len(g.servers) == 0 {
		return nil
	}
	g.static = isStatic(p)
	members := make([]balance.Member, len(g.servers))
	for i, s := range g.servers {
		members[i] = balance.Member{ID: uint32(s.ID), Name: s.Name, Weight: s.effectiveWeight()}
	}
	var err error
	g.algorithm, err = balance.New(algorithmOptions(p), members, load(g.servers))
	return err
}

func (g *group) usable() bool { return g.algorithm != nil && g.algorithm.Usable() > 0 }

// eligible is the group that serves now; nil when no server is usable. single is the one server that stands in for all,
// when only the first backup may be used.
func (b *Backend) eligible() (g *group, single *Server) {
	if b.active.usable() {
		return &b.active, nil
	}
	if !b.backup.usable() {
		return nil, nil
	}
	if b.allBackups {
		return &b.backup, nil
	}
	for _, s := range b.backup.servers {
		if s.effectiveWeight() > 0 {
			return &b.backup, s
		}
	}
	return nil, nil
}

// refresh opens the servers that may be given flows now, and closes the others: those that wait for a closed one alone are
// sent back. Called under mu after any change of state.
func (b *Backend) refresh() {
	g, single := b.eligible()
	for _, s := range b.Servers {
		if s.effectiveWeight() == 0 || s.group != g || single != nil && s != single {
			s.slots.Close(anyLoop)
		}
	}
	for _, s := range b.Servers {
		if s.effectiveWeight() > 0 && s.group == g && (single == nil || s == single) {
			s.slots.Open(anyLoop)
		}
	}
}

// anyLoop is the shard of counters that operators' changes use.
const anyLoop = 0

// Usable tells whether any server can be chosen.
func (b *Backend) Usable() bool { g, _ := b.eligible(); return g != nil }

// Movable tells whether a request may go to another server when its own does not answer: the algorithm does not bind it,
// and there is another.
func (b *Backend) Movable() bool {
	g, single := b.eligible()
	return g != nil && single == nil && !b.bound && g.algorithm.Usable() > 1
}

// Queued is the number of requests that wait for any server.
func (b *Backend) Queued() int { return b.pool.Waiting() }

// HighestQueue is the highest number of requests that waited for any server at once.
func (b *Backend) HighestQueue() int { return b.pool.Highest() }

// QueueCounts is what the queue for any server has counted.
func (b *Backend) QueueCounts() queue.Counts { return b.pool.Counts() }

// WithoutRecheck leaves out the look after queueing. For experiments only: waiters are then stranded. Call it before the
// backend is used.
func (b *Backend) WithoutRecheck() { b.pool.NoRecheck = true }

// load lets an algorithm look at the servers of its group.
type load []*Server

func (l load) Served(i int) int { return l[i].Served() + l[i].Queued() }
func (l load) Full(i int) bool  { return l[i].slots.Full() }

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

// isStatic tells the algorithms that lay their servers out once; the others are dynamic, in the manual's words.
func isStatic(p *config.Proxy) bool {
	switch p.Balance.Algorithm {
	case config.StaticRR:
		return true
	case config.SourceHash, config.Hash:
		return p.HashType.Method == config.MapBased
	}
	return false
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
