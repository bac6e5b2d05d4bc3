package backend

import (
	"fmt"
	"slices"
)

// A server that tracks another has that one's health, drain and maintenance as its own. The other may be in another backend,
// which has its own lock: no two are ever held at once. A change of the tracked server is published first and then its
// followers are told, who look at what is published then, under their own lock: so the last to look sees the last change,
// whoever was quicker.

// Follow makes the server take over t's state: "track". Call it before s is used; it refuses a loop, and a server that has been
// removed. Any server may be followed at any time.
func (s *Server) Follow(t *Server) error {
	for at := t; at != nil; at = at.tracks {
		if at == s {
			return fmt.Errorf("server '%s/%s': following '%s/%s' leads back to itself", s.backend.Name, s.Name, t.backend.Name, t.Name)
		}
	}
	if s.tracks != nil {
		return fmt.Errorf("server '%s/%s' follows '%s/%s' already", s.backend.Name, s.Name, s.tracks.backend.Name, s.tracks.Name)
	}
	if !t.followedBy(s) {
		return fmt.Errorf("server '%s/%s': there is no '%s/%s' any more", s.backend.Name, s.Name, t.backend.Name, t.Name)
	}
	s.follow(cause{})
	return nil
}

// followedBy adds a follower; false: the server has been removed.
func (s *Server) followedBy(f *Server) bool {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	if !s.absent {
		f.tracks = s
		all := append(slices.Clone(s.Followers()), f)
		s.followers.Store(&all)
	}
	return !s.absent
}

// leftBy takes a follower away that has been removed.
func (s *Server) leftBy(f *Server) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	all := slices.DeleteFunc(slices.Clone(s.Followers()), func(x *Server) bool { return x == f })
	s.followers.Store(&all)
}

// Followers are those who track the server.
func (s *Server) Followers() []*Server {
	if all := s.followers.Load(); all != nil {
		return *all
	}
	return nil
}

// tellFollowers hands a change on. Called without a lock.
func (s *Server) tellFollowers(why cause) {
	for _, f := range s.Followers() {
		f.follow(why)
	}
}

// follow takes over what the tracked server is now.
func (s *Server) follow(why cause) {
	s.change(func() {
		admin, theirs := s.admin&^(InheritedMaint|InheritedDrain), s.tracks.adminNow()
		if theirs&anyMaint != 0 {
			admin |= InheritedMaint
		}
		if theirs&anyDrain != 0 {
			admin |= InheritedDrain
		}
		if s.admin&anyMaint == 0 && admin&anyMaint == 0 {
			s.become(s.tracked(), admin, cause{})
			return
		}
		s.become(s.operation, admin, cause{said: why.said})
	})
}

// tracked is the operation of the tracked server; slow start is each server's own.
func (s *Server) tracked() Operation {
	if op := s.tracks.operationNow(); op != Starting {
		return op
	}
	return Running
}

// root is the server at the end of the chain, whose checks count.
func (s *Server) root() *Server {
	for s.tracks != nil {
		s = s.tracks
	}
	return s
}

// Tracks is the server whose state this one has; nil: it has its own.
func (s *Server) Tracks() *Server { return s.tracks }
