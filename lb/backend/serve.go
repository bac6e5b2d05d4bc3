package backend

import (
	"fmt"

	"github.com/sluice-lb/sluice/lb/balance"
	"github.com/sluice-lb/sluice/lb/config"
)

// group is the active servers or the backup servers, each with an algorithm of its own: the manual uses backups only when
// no active server is left. A third group is the active servers with those that are down, for the panic threshold.
type group struct {
	servers   []*Server
	algorithm balance.Algorithm
	static    bool // a server keeps the weight with which it came in: slow start does not touch it

	// Under the backend's mu.
	usable int // servers that may be given flows
	weight int // their weight, as set
	wanted int // servers that nobody wants out: neither in maintenance nor draining nor stopping, and with a weight
}

// choice is who serves now. It is immutable; nil stands for nobody.
type choice struct {
	group  *group
	single *Server // stands in for all: the first usable backup, where not all backups may be used
}

func (g *group) build(p *config.Proxy, weight func(*Server) int) error {
	if len(g.servers) == 0 {
		return nil
	}
	members := make([]balance.Member, len(g.servers))
	for i, s := range g.servers {
		members[i] = balance.Member{ID: uint32(s.ID), Name: s.Name, Weight: weight(s)}
	}
	var err error
	g.algorithm, err = balance.New(algorithmOptions(p), members, load(g.servers))
	return err
}

// buildGroups makes the algorithms over the servers as they are at first.
func (b *Backend) buildGroups(p *config.Proxy) error {
	all := []*group{&b.active, &b.backup}
	if b.panicThreshold > 0 {
		b.everyone.servers = b.active.servers
		all = append(all, &b.everyone)
	}
	for _, g := range all {
		weight := (*Server).effectiveWeight
		if g == &b.everyone {
			weight = (*Server).panicWeight
		}
		g.static = p.IsStatic() // a weight may be asked before the algorithm is built
		if err := g.build(p, weight); err != nil {
			return fmt.Errorf("backend '%s': %w", p.Name, err)
		}
		b.bound = b.bound || g.algorithm != nil && g.algorithm.Waits()
	}
	for _, s := range b.Servers() {
		s.given, s.givenInPanic = s.effectiveWeight(), s.panicWeight()
		s.count(1)
		if s.group == &b.active {
			s.also = b.everyone.algorithm
		}
	}
	b.lastUsable = b.usable()
	return nil
}

// effectiveWeight is what the algorithm balances with: zero takes the server out.
func (s *Server) effectiveWeight() int {
	weight := int(s.weight.Load())
	if !serves(s.operationNow(), s.adminNow()) {
		return 0
	}
	if weight > 0 && !s.group.static {
		weight = max(1, weight*s.risen()/100)
	}
	return weight
}

// panicWeight is what the algorithm of the panic group balances with.
func (s *Server) panicWeight() int {
	if s.adminNow()&(anyMaint|anyDrain) != 0 || s.operationNow() == Stopping {
		return 0
	}
	return int(s.weight.Load())
}

// count adds the server to the sums of its group as it was last counted (-1) or is now (1). Called under mu.
func (s *Server) count(sign int) {
	g := s.group
	if sign > 0 {
		s.counted = tally{usable: s.effectiveWeight() > 0, weight: int(s.weight.Load()), wanted: s.panicWeight() > 0}
	}
	if s.counted.usable {
		g.usable += sign
		g.weight += sign * s.counted.weight
	}
	if s.counted.wanted {
		g.wanted += sign
	}
}

// tally is what a server adds to the sums of its group.
type tally struct {
	usable, wanted bool
	weight         int
}

func (b *Backend) usable() int { return b.active.usable + b.backup.usable }

// decide tells who serves now. Called under mu.
func (b *Backend) decide() *choice {
	switch {
	case b.inPanic():
		return &choice{group: &b.everyone}
	case b.active.usable > 0:
		return &choice{group: &b.active}
	case b.backup.usable == 0:
		return nil
	case b.allBackups:
		return &choice{group: &b.backup}
	}
	for _, s := range b.backup.servers {
		if s.counted.usable {
			return &choice{group: &b.backup, single: s}
		}
	}
	return nil
}

// inPanic tells whether too few of the active servers are up, of those that could be. Backups, which are known to be up, go before servers
// that are known to be down, once no active server is left. Called under mu.
func (b *Backend) inPanic() bool {
	a := &b.active
	return b.panicThreshold > 0 && a.usable*100 < b.panicThreshold*a.wanted && (a.usable > 0 || b.backup.usable == 0)
}

// chosen tells whether s is among those who serve under c.
func (c *choice) chosen(b *Backend, s *Server) bool {
	switch {
	case c == nil:
		return false
	case c.single != nil:
		return s == c.single
	case c.group == &b.everyone:
		return s.group == &b.active && s.panicWeight() > 0
	}
	return s.group == c.group && s.counted.usable
}

func (c *choice) equal(o *choice) bool {
	return c == o || c != nil && o != nil && *c == *o
}

// apply lets the algorithms and the queue know of a change of s. It tells how many waiters it moved: back to ask again if s
// went out of service, onto s if it came in. It takes time in proportion to the number of servers only when others begin to
// serve instead. Called under mu.
//
// The order matters to those who choose at the same time. Who is to serve is opened before anybody is led there, and who is
// not to serve is closed after nobody is: so that nobody is led to a closed server for long, nor told that there is none.
func (s *Server) apply() (moved int) {
	b := s.backend
	s.count(-1)
	s.count(1)
	before, now := b.serving.Load(), b.decide()
	same := before.equal(now)
	opens := now.chosen(b, s)
	if opens {
		moved = s.open()
	}
	if !same {
		for _, x := range b.Servers() {
			if x != s && now.chosen(b, x) {
				x.slots.Open(anyLoop)
			}
		}
	}
	if opens {
		s.giveWeight()
	}
	if !same {
		b.serving.Store(now)
	}
	if !opens {
		s.giveWeight()
		moved = s.close()
	}
	if !same {
		for _, x := range b.Servers() {
			if x != s && !now.chosen(b, x) {
				x.close()
			}
		}
	}
	s.changedLoad()
	return moved
}

// giveWeight tells the algorithms the weight. Called under mu.
func (s *Server) giveWeight() {
	if w := s.effectiveWeight(); w != s.given {
		s.given = w
		s.group.algorithm.SetWeight(s.index, w)
	}
	if s.also == nil {
		return
	}
	if w := s.panicWeight(); w != s.givenInPanic {
		s.givenInPanic = w
		s.also.SetWeight(s.index, w)
	}
}

// open opens s and tells how many waiters it was given.
func (s *Server) open() int {
	grantsSoFar := func() uint64 { return s.backend.pool.Counts().Direct + s.slots.Counts().Direct }
	if s.backend.pool.Waiting() == 0 && s.slots.Waiting() == 0 {
		s.slots.Open(anyLoop)
		return 0
	}
	before := grantsSoFar()
	s.slots.Open(anyLoop)
	return int(grantsSoFar() - before)
}

// close closes s and tells how many waiters were sent back: none with "option persist".
func (s *Server) close() int {
	if s.backend.persists {
		s.slots.Suspend()
		return 0
	}
	before := s.slots.Counts().SentBack
	s.slots.Close(anyLoop)
	return int(s.slots.Counts().SentBack - before)
}

// changedLoad tells the algorithms that the number served, or the limit, is another.
func (s *Server) changedLoad() {
	s.group.algorithm.Changed(s.index)
	if s.also != nil {
		s.also.Changed(s.index)
	}
}

// eligible is the group that serves now; nil when no server is usable. single is the one server that stands in for all,
// when only the first backup may be used.
func (b *Backend) eligible() (g *group, single *Server) {
	if c := b.serving.Load(); c != nil {
		return c.group, c.single
	}
	return nil, nil
}

// place is where s stands in g's algorithm; -1: it does not.
func (g *group) place(s *Server) int {
	if s.index < len(g.servers) && g.servers[s.index] == s {
		return s.index
	}
	return -1
}

// Usable tells whether any server can be chosen.
func (b *Backend) Usable() bool { g, _ := b.eligible(); return g != nil }

// Movable tells whether a request may go to another server when its own does not answer: the algorithm does not bind it,
// and there is another.
func (b *Backend) Movable() bool {
	g, single := b.eligible()
	return g != nil && single == nil && !b.bound && g.algorithm.Usable() > 1
}

// load lets an algorithm look at the servers of its group.
type load []*Server

func (l load) Served(i int) int { return l[i].Served() + l[i].Queued() }
func (l load) Full(i int) bool  { return l[i].slots.Full() }
