package backend

import "time"

// Saved is the state of a server as another process left it.
type Saved struct {
	Operation     Operation
	Admin         Flags         // ForcedMaint, ConfiguredMaint and ForcedDrain count; what is inherited or resolved is found anew
	Maintained    bool          // it was in maintenance, for whatever reason: Operation says nothing about its health then
	Weight        int           // configured, or set at run time
	InitialWeight int           // as it was configured
	SinceChange   time.Duration // since it last went up or down
	Status        CheckStatus   // of the last health check
	Health        int           // 0 to rise+fall-1 as they were configured
	WasChecked    bool          // health checks were configured
	ChecksOff     bool          // they were, and the operator had turned them off
	AgentOff      bool          // the same for the agent
}

// restored is the cause of what Restore changes. The words are HAProxy's.
var restored = cause{said: "changed from server-state after a reload"}

// Restore gives the server the state that another process left. Call it before [Backend.Start], after [Server.Follow]. What the
// configuration says goes before what was saved:
//
//   - A server that is "disabled" stays in maintenance; one that was only because it had been "disabled" is not any more.
//   - The weight is taken over if the configured one is still the same.
//   - The health of a server that tracks another is the other's.
//   - A server that checks had found down, and that is no longer checked, is up: nothing would ever bring it back.
//
// A server that was up is not new: "slowstart ... on-new" does not begin, and a slow start that was going on does.
// False: its being down was not taken over, for the last reason.
func (s *Server) Restore(v Saved) (taken bool) {
	taken = true
	s.change(func() {
		b := s.backend
		// What is taken over is worth a line each, though the rest of the start is not.
		started := b.started
		b.started = true
		defer func() { b.started = started }()

		if v.InitialWeight == s.initialWeight {
			s.setWeight(min(max(v.Weight, 0), MaxWeight))
		}
		s.check.on = !v.ChecksOff
		s.agent.on = !v.AgentOff
		if v.Status != CheckUnknown && s.check.configured {
			s.check.last = CheckResult{Status: v.Status, Duration: -1}
		}
		downs, downTime := s.downs, s.downTime
		taken = s.restoreState(v)
		s.downs, s.downTime = downs, downTime
		s.changed = b.clock.now() - v.SinceChange
		s.stoppedAt = s.changed
		s.damp.forget()
	})
	return taken
}

// restoreState is Restore for health and administrative state. Called under mu.
func (s *Server) restoreState(v Saved) bool {
	admin := s.admin
	if v.Admin&ForcedMaint != 0 && v.Admin&ConfiguredMaint == 0 {
		admin |= ForcedMaint
	}
	admin |= v.Admin & ForcedDrain
	op := v.Operation
	switch {
	case admin&anyMaint != 0:
		op = Stopped // and its health is made anew when it comes back
	case s.tracks != nil:
		op = s.operation
	case v.Maintained:
		op = s.operation
	case op == Stopped && v.WasChecked && !s.check.configured && !s.agent.configured:
		s.become(s.operation, admin, restored)
		return false
	case op == Stopped:
		s.check.health = min(max(v.Health, 0), s.check.rise-1)
	default:
		s.check.health = min(max(v.Health, s.check.rise), s.check.most())
		s.onNew = false
	}
	if op == Starting {
		op = Running
	}
	s.become(op, admin, restored)
	if v.Operation == Starting && s.operation == Running && s.slowStart > v.SinceChange && s.tracks == nil && !v.Maintained {
		s.operation = Starting
		if began := int64(s.backend.clock.now() - v.SinceChange); began != 0 {
			s.rising.Store(began)
		} else {
			s.rising.Store(1)
		}
		s.publish()
		s.scheduleRise()
		s.apply()
	}
	return true
}
