package backend

import (
	"fmt"
	"sync/atomic"

	"github.com/sluice-lb/sluice/lb/balance"
	"github.com/sluice-lb/sluice/lb/config"
)

// group is the active servers or the backup servers, each with an algorithm of its own: the manual uses backups only when
// no active server is left. A third group is the active servers with those that are down, for the panic threshold.
type group struct {
	standing atomic.Pointer[standing] // nil: it never had a server
	static   bool                     // a server keeps the weight with which it came in: slow start does not touch it

	// Under the backend's mu.
	servers []*Server // in order; the panic group's are those of the active one
	usable  int       // servers that may be given flows
	weight  int       // their weight, as set
	wanted  int       // servers that nobody wants out: neither in maintenance nor draining nor stopping, and with a weight
}

// standing is an algorithm with who stands where in it: a server's index in its group is its place, and stays so. Places without a
// server are room for one to come; when there is none left, all is replaced by something larger (add.go).
//
// Loops ask the algorithm for an index and look then who stands there, without a lock. In between the server may have gone, and
// another may have got its place: the one that they find decides, as it is or is not open. What they tell of a server that has
// gone, that its load is another, is taken for a word about its successor, whose load the algorithm then looks at once more
// than it need.
type standing struct {
	algorithm balance.Algorithm
	places    []atomic.Pointer[Server]
	servers   atomic.Int64 // how many there are
}

// choice is who serves now. It is immutable; nil stands for nobody.
type choice struct {
	group  *group
	single *Server // stands in for all: the first usable backup, where not all backups may be used
}

// build makes the group's algorithm with so many places. It takes the servers' weights as they are. Called under mu, or before
// the backend is used.
func (g *group) build(b *Backend, places int) error {
	if places == 0 {
		return nil
	}
	at := &standing{places: make([]atomic.Pointer[Server], places)}
	members := make([]balance.Member, places)
	for _, s := range g.servers {
		at.places[s.index].Store(s)
		members[s.index] = s.member()
		members[s.index].Weight = s.giveIn(g)
	}
	at.servers.Store(int64(len(g.servers)))
	var err error
	if at.algorithm, err = balance.New(b.options, members, load{at}); err != nil {
		return err
	}
	g.standing.Store(at)
	return nil
}

// member is what an algorithm is told of s, but for its weight.
func (s *Server) member() balance.Member {
	return balance.Member{ID: uint32(s.ID), Order: s.order, Name: s.Name}
}

// giveIn is what s balances with in a group whose algorithm is told now.
func (s *Server) giveIn(g *group) int {
	if g == &s.backend.everyone {
		s.givenInPanic = s.panicWeight()
		return s.givenInPanic
	}
	s.given = s.effectiveWeight()
	return s.given
}

// groupOf is where a server belongs.
func (b *Backend) groupOf(c *config.Server) *group {
	if c.Backup {
		return &b.backup
	}
	return &b.active
}

// groups are those that stand in an algorithm.
func (b *Backend) groups() []*group {
	if b.panicThreshold > 0 {
		return []*group{&b.active, &b.backup, &b.everyone}
	}
	return []*group{&b.active, &b.backup}
}

// buildGroups makes the algorithms over the servers as they are at first.
func (b *Backend) buildGroups(p *config.Proxy) error {
	b.everyone.servers = b.active.servers
	for _, g := range b.groups() {
		g.static = p.IsStatic() // a weight may be asked before the algorithm is built
		if err := g.build(b, len(g.servers)); err != nil {
			return fmt.Errorf("backend '%s': %w", p.Name, err)
		}
	}
	bound, err := balance.New(b.options, nil, nil)
	if err != nil {
		return fmt.Errorf("backend '%s': %w", p.Name, err)
	}
	b.bound = bound.Waits()
	for _, s := range b.Servers() {
		s.count(1)
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
		s.group.standing.Load().algorithm.SetWeight(s.index, w)
	}
	also := s.alsoIn()
	if also == nil {
		return
	}
	if w := s.panicWeight(); w != s.givenInPanic {
		s.givenInPanic = w
		also.algorithm.SetWeight(s.index, w)
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
	s.group.standing.Load().algorithm.Changed(s.index)
	if also := s.alsoIn(); also != nil {
		also.algorithm.Changed(s.index)
	}
}

// alsoIn is the panic group, for an active server of a backend that has one; nil: there is none.
func (s *Server) alsoIn() *standing {
	if s.group == &s.backend.active {
		return s.backend.everyone.standing.Load()
	}
	return nil
}

// eligible is the group that serves now; nil when no server is usable. single is the one server that stands in for all,
// when only the first backup may be used.
func (b *Backend) eligible() (g *group, single *Server) {
	if c := b.serving.Load(); c != nil {
		return c.group, c.single
	}
	return nil, nil
}

// place is where s stands; -1: it does not.
func (at *standing) place(s *Server) int {
	if s.index < len(at.places) && at.places[s.index].Load() == s {
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
	return g != nil && single == nil && !b.bound && g.standing.Load().algorithm.Usable() > 1
}

// load lets an algorithm look at the servers of its group. Who is not there has none, and room.
type load struct{ at *standing }

func (l load) Served(i int) int {
	if s := l.at.places[i].Load(); s != nil {
		return s.Served() + s.Queued()
	}
	return 0
}

func (l load) Full(i int) bool {
	s := l.at.places[i].Load()
	return s != nil && s.slots.Full()
}
