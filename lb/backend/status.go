package backend

import "time"

// Status is the server's state now. Of a server that tracks another, the checks are the other's. Any goroutine may call it.
func (s *Server) Status() Status {
	s.backend.mu.Lock()
	st := s.status()
	s.backend.mu.Unlock()
	if root := s.root(); root != s { // its lock is another one, perhaps: one after the other
		root.backend.mu.Lock()
		theirs := root.status()
		root.backend.mu.Unlock()
		if st.Away { // that is its own
			theirs.Check = st.Check
		}
		st.Checked, st.Health, st.Rise, st.Fall, st.Check = theirs.Checked, theirs.Health, theirs.Rise, theirs.Fall, theirs.Check
		st.Agented, st.AgentHealth, st.AgentRise, st.AgentFall, st.Agent = theirs.Agented, theirs.AgentHealth, theirs.AgentRise, theirs.AgentFall, theirs.Agent
		st.Text = s.text(&st)
	}
	return st
}

// status is Status but for what is a tracked server's. Called under mu.
func (s *Server) status() Status {
	now := s.backend.clock.now()
	st := Status{
		Operation: s.operation, Admin: s.admin, Usable: s.Usable(),
		Checked: s.check.enabled(), Health: s.check.health, Rise: s.check.rise, Fall: s.check.fall, Check: s.check.last,
		Away:    s.away,
		Agented: s.agent.enabled(), AgentHealth: s.agent.health, AgentRise: s.agent.rise, AgentFall: s.agent.fall, Agent: s.agent.last,
		SlowStart: s.risen(), Weight: s.Weight(), InitialWeight: s.initialWeight,
		SinceChange: now - s.changed, DownTime: s.downTime,
		FailedChecks: s.check.failed, Downs: s.downs, ObservedFailures: s.observed,
	}
	if s.operation == Stopped {
		st.DownTime += now - s.stoppedAt
	}
	if s.damp.until > now {
		st.Damped = s.damp.until - now
	}
	st.Text = s.text(&st)
	return st
}

// text is a state as "show stat" words it.
func (s *Server) text(st *Status) string {
	moving := "" // health between its two ends
	if st.Checked {
		most := st.Rise + st.Fall - 1
		if st.Operation == Stopped && st.Health > 0 && st.Health < st.Rise || st.Operation != Stopped && st.Health < most && st.Health >= st.Rise {
			moving = " " + fraction(st.Health, st.Rise, st.Fall)
		}
	}
	switch {
	case st.Admin&ResolutionMaint != 0:
		return "MAINT (resolution)"
	case st.Admin&InheritedMaint != 0:
		return "MAINT (via " + s.tracks.backend.Name + "/" + s.tracks.Name + ")"
	case st.Admin&anyMaint != 0:
		return "MAINT"
	case st.Operation == Stopped && st.Agented && st.AgentHealth == 0:
		return "DOWN (agent)"
	case st.Operation == Stopped && st.Damped > 0:
		return "DOWN (damped)"
	case st.Operation == Stopped:
		return "DOWN" + moving
	case st.Operation == Stopping:
		return "NOLB" + moving
	case st.Admin&anyDrain != 0 && st.Agented:
		return "DRAIN (agent)"
	case st.Admin&anyDrain != 0:
		return "DRAIN" + moving
	case !st.Checked:
		return "no check"
	}
	return "UP" + moving
}

// BackendStatus is the state of a backend as a whole at one moment.
type BackendStatus struct {
	Up             bool // some server can be given flows by its state
	Active, Backup int  // servers that can
	Weight         int  // of those that serve
	Panics         bool // the panic threshold reigns
	SinceChange    time.Duration
	DownTime       time.Duration
	Downs          uint64
}

// Status is the backend's state now. Any goroutine may call it.
func (b *Backend) Status() BackendStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.now()
	st := BackendStatus{
		Up: b.usable() > 0, Active: b.active.usable, Backup: b.backup.usable, Weight: b.active.weight, Panics: b.panics,
		SinceChange: now - b.changed, DownTime: b.downTime, Downs: b.downs,
	}
	switch c := b.serving.Load(); {
	case !st.Up:
		st.DownTime += now - b.changed
	case c != nil && c.single != nil:
		st.Weight = c.single.Weight()
	case c != nil && c.group == &b.backup:
		st.Weight = b.backup.weight
	}
	return st
}
