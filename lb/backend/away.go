package backend

// backAgain is the cause of a server's coming up with its network namespace.
var backAgain = cause{said: "its network namespace is there"}

// SetAway tells why the server cannot be reached from here at all: the network namespace in which sockets towards it are made is
// missing. Until that ends, with an empty text, the server is down, whatever its checks, its agent, the server that it tracks and
// the operator say. Then a server with checks comes up with the next one that passes, which is made at once; one without
// comes up there and then. Saying the same again does nothing. Any goroutine may call it.
func (s *Server) SetAway(why string) {
	s.change(func() {
		switch {
		case why != "" && !s.away:
			s.goAway(CheckResult{Status: CheckSocketError, Text: why, Duration: -1})
		case why == "" && s.away:
			s.comeBack()
		}
	})
}

func (s *Server) goAway(r CheckResult) {
	s.away = true
	s.check.last, s.check.health = r, 0
	downs := s.downs
	s.become(Stopped, s.admin, cause{check: &r})
	if !s.backend.started { // it was never up
		s.downs = downs
	}
}

func (s *Server) comeBack() {
	s.away = false
	s.consecutive.Store(0)
	s.check.health = s.check.most()
	if s.check.enabled() {
		s.check.health = s.check.rise - 1
		if s.OnHasten != nil {
			s.OnHasten(0)
		}
	}
	switch {
	case s.tracks != nil:
		s.become(s.tracked(), s.admin, backAgain)
	case s.check.agrees() && s.agent.agrees():
		s.become(Running, s.admin, backAgain)
	}
}
