// Package backend owns a backend's servers: which of them may be used, how many flows each has, who waits, and which one a
// flow gets.
//
// # The way of a request
//
//  1. [Backend.Admit] chooses a server and claims a slot on it, or queues the request, or says why neither was possible.
//  2. A queued request that gets its slot later is told through [Waiter.Granted], on whatever loop freed the slot. A
//     request that gives up calls [Backend.Cancel], which tells whether the grant had come first.
//  3. [Backend.Redispatch] gives the slot back and admits again, passing over the server that failed.
//  4. [Backend.Release] gives the slot back for good and hands it to whoever waits.
//
// # Concurrency
//
// Every method may be called from every loop. Slots are claimed by compare-and-swap on [Server.served] against the limit,
// so a server never has more flows than its maxconn. The queues are plain FIFOs under Backend.mu; Backend.waiting counts
// what is in them. No waiter is stranded: a request is published in its queue and then looks for a free slot; a release
// frees its slot and then looks for a waiter; Go's atomics are sequentially consistent, so one of the two sees the other.
// (The queue room, lb/queue, will take the place of queue.go.)
package backend

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sluice-lb/sluice/lb/balance"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Backend is a set of servers with one way to choose among them.
type Backend struct {
	Name    string
	Servers []*Server
	Stats   *stats.Counters
	Flows   stats.Gauge // flows that have this backend, waiting or served

	fullConn     int64
	keyFunction  func(*Request) uint32
	active       group
	backup       group
	allBackups   bool
	waits        bool // the algorithm binds a flow to its server: it waits there
	waiting      atomic.Int64
	highestQueue atomic.Int64

	mu       sync.Mutex
	queue    fifo   // of requests that any server may take; guarded by mu, as are the servers' queues
	sequence uint64 // of the last request that was queued; guarded by mu
}

// group is the active servers or the backup servers, each with an algorithm of its own: the manual uses backups only when
// no active server is left.
type group struct {
	servers   []*Server
	algorithm balance.Algorithm
}

// New builds the backend of p for the given number of loops. fullConn is the number of flows at which dynamic limits
// reach their servers' maxconn; zero if none has one. An error names the proxy and what cannot be built.
func New(p *config.Proxy, fullConn, loops int) (*Backend, error) {
	b := &Backend{
		Name:       p.Name,
		Stats:      stats.New(loops),
		fullConn:   int64(fullConn),
		allBackups: p.Options.AllBackups,
	}
	for i, s := range p.Servers {
		server := newServer(b, s, i, loops)
		b.Servers = append(b.Servers, server)
		into := &b.active
		if s.Backup {
			into = &b.backup
		}
		server.group, server.index = into, len(into.servers)
		into.servers = append(into.servers, server)
	}
	for _, g := range []*group{&b.active, &b.backup} {
		if err := g.build(p); err != nil {
			return nil, fmt.Errorf("backend '%s': %w", p.Name, err)
		}
	}
	if b.active.algorithm != nil {
		b.waits = b.active.algorithm.Waits()
	}
	b.keyFunction = keyFunction(p)
	return b, nil
}

func (g *group) build(p *config.Proxy) error {
	if len(g.servers) == 0 {
		return nil
	}
	members := make([]balance.Member, len(g.servers))
	for i, s := range g.servers {
		members[i] = balance.Member{ID: uint32(s.ID), Name: s.Name, Weight: s.effectiveWeight()}
	}
	var err error
	g.algorithm, err = balance.New(algorithmOptions(p), members, load(g.servers))
	return err
}

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

// mayServe is the one predicate of eligibility: s may be given a flow now, if it has room.
func (b *Backend) mayServe(s *Server) bool {
	if s.effectiveWeight() == 0 {
		return false
	}
	g, single := b.eligible()
	return s.group == g && (single == nil || single == s)
}

// Usable tells whether any server can be chosen.
func (b *Backend) Usable() bool { g, _ := b.eligible(); return g != nil }

// Queued is the number of requests that wait, at the backend and at its servers.
func (b *Backend) Queued() int { return int(b.waiting.Load()) }

// HighestQueue is the highest number of requests that waited at once.
func (b *Backend) HighestQueue() int { return int(b.highestQueue.Load()) }

// load lets an algorithm look at the servers of its group.
type load []*Server

func (l load) Served(i int) int { return int(l[i].served.Load()) + int(l[i].queued.Load()) }
func (l load) Full(i int) bool  { return l[i].full() }

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
