package backend

import "time"

// riseSteps is in how many steps slow start raises weight and limit.
const riseSteps = 20

// risen is how far slow start has come, in percent; 100 when it is over.
func (s *Server) risen() int {
	began := time.Duration(s.rising.Load())
	if began == 0 {
		return 100
	}
	return int(min((s.backend.clock.now()-began)*100/s.slowStart, 100))
}

// scheduleRise takes the next step of slow start when it is due. Called under the backend's mu.
func (s *Server) scheduleRise() {
	if s.stepDue { // the server went away and came back before its last slow start was over
		return
	}
	s.stepDue = true
	s.backend.clock.after(max(s.slowStart/riseSteps, time.Millisecond), func() {
		s.change(s.rise)
	})
}

// rise is one step of slow start.
func (s *Server) rise() {
	s.stepDue = false
	if s.rising.Load() == 0 || s.operation != Starting {
		s.rising.Store(0)
		return
	}
	if s.risen() >= 100 {
		s.rising.Store(0)
		s.operation = Running
		s.publish()
	} else {
		s.scheduleRise()
	}
	s.apply() // opens it again, which gives waiters what the limit has gained
}

// Start begins what time does to the backend: slow start of servers for which it is asked also when they are new, and the
// telling of events. Before it, states can be set without a word about them. Call it once, before the backend is used.
func (b *Backend) Start() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.started = true
	for _, s := range b.Servers() {
		s.begin()
	}
}

// begin begins slow start of a server that is new, if it is asked for then. Called under mu.
func (s *Server) begin() {
	if s.onNew && s.slowStart > 0 && s.operation == Running {
		s.operation = Starting
		s.rising.Store(max(int64(s.backend.clock.now()), 1))
		s.publish()
		s.scheduleRise()
		s.apply()
	}
}
