package backend

import (
	"fmt"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// damp keeps a server down that goes up and down too often ("damp", an extension): once it has changed Changes times within
// Window it stays down for Least, whatever its checks say; when it begins again before it has been quiet for a Window, for
// twice as long as the last time, at most for Most. The backend's mu guards it.
type damp struct {
	config.Damping
	changes []time.Duration // of the last Window, the oldest first; at most Changes of them
	until   time.Duration   // it is kept down until then; 0: it is not
	length  time.Duration   // of the last time
	ended   time.Duration   // when the last time was over
	timer   bool            // the end is scheduled
	over    bool            // the server goes up because it is over
}

func (d *damp) on() bool { return d.Changes > 0 }

// note adds a change at now, and tells whether that makes it too many.
func (d *damp) note(now time.Duration) bool {
	for len(d.changes) > 0 && now-d.changes[0] > d.Window {
		d.changes = d.changes[1:]
	}
	d.changes = append(d.changes, now)
	return len(d.changes) >= d.Changes
}

// begin starts a time of being kept down.
func (d *damp) begin(now time.Duration) {
	if d.length > 0 && now-d.ended <= d.Window {
		d.length = min(2*d.length, d.Most)
	} else {
		d.length = min(d.Least, d.Most)
	}
	d.until = now + d.length
	d.changes = d.changes[:0]
}

func (d *damp) end(now time.Duration) { d.until, d.ended = 0, now }

// forget lets the server up at once: the operator says so.
func (d *damp) forget() { d.until, d.length, d.changes = 0, 0, d.changes[:0] }

// damped tells whether the server, which would go up now, is to stay down. Maintenance that ends is no flapping. Called under
// mu.
func (s *Server) damped(afterMaintenance bool) bool {
	d, now := &s.damp, s.backend.clock.now()
	if !d.on() || s.tracks != nil || d.over || afterMaintenance && d.until == 0 {
		return false
	}
	if d.until > 0 {
		return now < d.until
	}
	if !d.note(now) {
		d.changes = d.changes[:len(d.changes)-1] // it is noted when it has happened
		return false
	}
	s.keepDown(now)
	return true
}

// noteChange counts a change that has happened. Called under mu.
func (s *Server) noteChange() {
	d, now := &s.damp, s.backend.clock.now()
	if d.on() && s.tracks == nil && d.until == 0 && d.note(now) && s.operation == Stopped {
		s.keepDown(now)
	}
}

func (s *Server) keepDown(now time.Duration) {
	d := &s.damp
	d.begin(now)
	s.backend.tell(Event{Kind: EventDamped, Server: s, Severity: severityWarning, Text: fmt.Sprintf(
		"%s changed %d times within %v and is kept down for %v.", s.title(), d.Changes, d.Window, d.length)})
	if !d.timer {
		d.timer = true
		s.backend.clock.after(d.length, func() { s.change(s.dampingOver) })
	}
}

// dampingOver lets the server up if its checks agree.
func (s *Server) dampingOver() {
	d, now := &s.damp, s.backend.clock.now()
	d.timer = false
	switch {
	case d.until == 0:
		return
	case now < d.until: // it was forgotten meanwhile, and has begun anew
		d.timer = true
		s.backend.clock.after(d.until-now, func() { s.change(s.dampingOver) })
		return
	}
	d.end(now)
	if s.operation == Stopped && s.admin&anyMaint == 0 && s.check.agrees() && s.agent.agrees() {
		d.over = true
		s.become(Running, s.admin, cause{said: "no longer kept down"})
		d.over = false
	}
}
