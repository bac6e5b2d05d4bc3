package backend

import (
	"errors"
	"slices"

	"github.com/sluice-lb/sluice/lb/config"
)

// Servers come and go while loops choose among them, checks report about them and others list them. None of these takes a lock for
// it:
//
//   - Who goes through all servers loads the list, which is immutable (Backend.servers).
//   - A choice goes by places in an algorithm (standing), which are filled and emptied one by one. Only when there is no place left
//     a larger algorithm takes over: it is made, it is published, and then told the load of everyone: whoever changed a load while
//     it was made has told the old one or finds the new one, and what was told the old one is seen by that last look.
//   - A server that is removed is closed, and no slot of it can be claimed any more (queue.Slots.Retire, which is exact: it is refused
//     while a flow holds one). Who has chosen it just before fails to get a slot, or to wait for it, and chooses anew. What is said
//     about it later, by a check that was running or a timer, counts for nothing (Server.absent): its place may be another's by
//     then. The rest is the garbage collector's.

// Errors of Remove and Add.
var (
	ErrNotInMaintenance = errors.New("only servers in maintenance can be removed")
	ErrFollowed         = errors.New("other servers track it")
	ErrInUse            = errors.New("it has flows, or flows wait for it")
	ErrRemoved          = errors.New("there is no such server any more")
	ErrTaken            = errors.New("another server has the name or the id")
)

// leastRoom is how many places a group has at least once servers are added.
const leastRoom = 16

// Add makes a server of c, whose name and id are free. It is in maintenance and its checks are off, until the operator says otherwise,
// or serves at once (up), without checks too. prepare, if it is not nil, does what is to be done before anybody can see the server;
// its error is Add's. c belongs to the server afterwards. Any goroutine may call it.
func (b *Backend) Add(c *config.Server, up bool, prepare func(*Server) error) (*Server, error) {
	b.adding.Lock()
	defer b.adding.Unlock()
	if slices.ContainsFunc(b.Servers(), func(s *Server) bool { return s.Name == c.Name || s.ID == c.ID }) {
		return nil, ErrTaken
	}
	s := newServer(b, c, b.loops)
	s.configure(b.proxy, c)
	s.group = b.groupOf(c)
	s.check.on, s.agent.on = false, false
	s.admin, s.operation = 0, Running
	if !up {
		s.admin, s.operation = ForcedMaint, Stopped
	}
	s.publish()
	s.absent = true
	var err error
	if prepare != nil {
		err = prepare(s)
	}
	if err == nil {
		err = b.enter(s)
	}
	if err != nil {
		b.pool.Remove(s.slots)
		if s.tracks != nil {
			s.tracks.leftBy(s)
		}
		return nil, err
	}
	if s.tracks != nil {
		s.follow(cause{})
	}
	return s, nil
}

// enter makes s one of the backend's servers.
func (b *Backend) enter(s *Server) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := s.stand(); err != nil {
		return err
	}
	s.absent = false
	if s.follows {
		b.dynamic.Store(true)
	}
	s.slots.Changed = s.changedLoad
	all := append(slices.Clip(b.Servers()), s)
	b.servers.Store(&all)
	s.count(1)
	s.apply()
	s.begin()
	b.settle()
	return nil
}

// stand gives s a place in the algorithms, with the weight 0. Called under mu.
func (s *Server) stand() error {
	b, g := s.backend, s.group
	at := g.standing.Load()
	if at == nil || at.servers.Load() == int64(len(at.places)) {
		room := leastRoom
		if at != nil {
			room = max(2*len(at.places), room)
		}
		for _, x := range b.groups() {
			if x != g && (x != &b.everyone || g != &b.active) {
				continue
			}
			if err := x.build(b, room); err != nil {
				return err
			}
			for _, there := range x.servers {
				x.standing.Load().algorithm.Changed(there.index)
			}
		}
		at = g.standing.Load()
	}
	for s.index = 0; at.places[s.index].Load() != nil; s.index++ {
	}
	g.servers = append(slices.Clip(g.servers), s)
	b.everyone.servers = b.active.servers
	for _, x := range []*standing{at, s.alsoIn()} {
		if x != nil {
			x.algorithm.Assign(s.index, s.member())
			x.places[s.index].Store(s)
			x.servers.Add(1)
		}
	}
	return nil
}

// Remove takes s out for good: it is in maintenance, nobody tracks it, and it has neither flows nor waiters; otherwise nothing happens, and
// the error says why: one of this package's. Whoever still holds s can go on reading it; nothing that is done to it counts any more.
// Any goroutine may call it.
func (b *Backend) Remove(s *Server) error {
	b.adding.Lock()
	defer b.adding.Unlock()
	if err := b.remove(s); err != nil {
		return err
	}
	if s.tracks != nil {
		s.tracks.leftBy(s)
	}
	return nil
}

// Removable tells whether Remove would succeed now, by the same errors.
func (s *Server) Removable() error {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	return s.removable()
}

// removable is called under mu.
func (s *Server) removable() error {
	switch {
	case s.absent:
		return ErrRemoved
	case len(s.Followers()) > 0:
		return ErrFollowed
	case s.admin&anyMaint == 0:
		return ErrNotInMaintenance
	case s.Queued() > 0 || s.Served() > 0:
		return ErrInUse
	}
	return nil
}

func (b *Backend) remove(s *Server) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := s.removable(); err != nil {
		return err
	}
	if !s.slots.Retire() {
		return ErrInUse
	}
	s.absent = true
	s.damp.forget()
	b.pool.Remove(s.slots)
	same := func(x *Server) bool { return x == s }
	all := slices.DeleteFunc(slices.Clone(b.Servers()), same)
	b.servers.Store(&all)
	s.group.servers = slices.DeleteFunc(slices.Clone(s.group.servers), same)
	b.everyone.servers = b.active.servers
	s.count(-1)
	for _, x := range []*standing{s.group.standing.Load(), s.alsoIn()} {
		if x != nil {
			x.algorithm.SetWeight(s.index, 0)
			x.algorithm.Assign(s.index, s.member())
			x.places[s.index].Store(nil)
			x.servers.Add(-1)
		}
	}
	b.dynamic.Store(slices.ContainsFunc(all, func(x *Server) bool { return x.follows }))
	b.settle()
	return nil
}
