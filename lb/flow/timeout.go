package flow

import (
	"math"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// One timer serves a flow. It is armed for the earliest deadline and costs nothing while traffic flows: activity only
// writes down its time; when the timer fires and the deadline has moved on, it is armed again for the rest.

const never = math.MaxUint64

// rearm makes sure that the timer fires no later than the flow's earliest deadline.
func (f *Flow) rearm() {
	when, _ := f.deadline()
	if f.redirect != nil {
		when = min(when, f.redirect.look)
	}
	if when == never {
		return // a timer that fires too early only looks again
	}
	if !f.timer.Armed() || when < f.timer.When() {
		f.loop.Arm(&f.timer, when)
	}
}

// deadline is the earliest deadline of the flow's stage, in ms on the loop's clock, and whose silence it is about.
func (f *Flow) deadline() (when uint64, late *side) {
	switch f.stage {
	case header:
		return after(f.start, f.frontend.ClientTimeout), &f.client
	case queued:
		t := f.backend.Timeouts.Queue
		if t == 0 {
			t = f.backend.Timeouts.Connect // the manual's default
		}
		return after(f.attempt, t), &f.server
	case opening, connecting, handshake:
		return after(f.attempt, f.backend.Timeouts.Connect), &f.server
	case pausing:
		return after(f.attempt, f.turnaround()), &f.server
	case forwarding:
		client, server := f.sideDeadline(&f.client), f.sideDeadline(&f.server)
		if client <= server {
			return client, &f.client
		}
		return server, &f.server
	}
	return never, nil
}

// sideDeadline is when s will have been silent for too long: it owes us bytes, or it owes us taking ours. A side that
// cannot be read because the other does not take its bytes is not late, and none is while one of them may not be read for
// want of bandwidth.
func (f *Flow) sideDeadline(s *side) uint64 {
	timeout, when := f.sideTimeout(s), uint64(never)
	o := f.other(s)
	if s.metering == parked || o.metering == parked {
		return never
	}
	if !s.readClosed && !o.writeClosed && !o.blocked {
		when = after(s.activity, timeout)
	}
	if s.blocked {
		when = min(when, after(s.progress, timeout))
	}
	return when
}

// sideTimeout is the timeout that applies to s in ms: timeout tunnel supersedes timeout client and timeout server, and
// the fin timeouts supersede all on a side of which one direction is shut.
func (f *Flow) sideTimeout(s *side) uint64 {
	timeout, fin := f.frontend.ClientTimeout, f.frontend.ClientFinTimeout
	if s.isServer {
		timeout, fin = f.backend.Timeouts.Server, f.backend.Timeouts.ServerFin
	}
	if t := f.backend.Timeouts.Tunnel; t > 0 {
		timeout = t
	}
	if fin > 0 && (s.readClosed || s.writeClosed) {
		timeout = fin
	}
	return timeout
}

// after is start plus timeout, in ms rounded up: a timeout never ends early. A timeout of 0 never ends.
func after(start time.Duration, timeout uint64) uint64 {
	if timeout == 0 {
		return never
	}
	return uint64((start+time.Millisecond-1)/time.Millisecond) + timeout
}

// Expired is the timer's.
func (f *Flow) Expired(*poller.Timer) {
	if f.redirect != nil {
		if f.lookAtRedirect(); f.stage != forwarding {
			return
		}
	}
	when, late := f.deadline()
	if when > f.loop.Milliseconds() {
		f.rearm()
		return
	}
	switch f.stage {
	case header:
		f.headerFailed(stats.HeaderTimeout, "Timeout while waiting for PROXY protocol header")
	case queued:
		f.end('s', 'Q')
	case opening, connecting, handshake:
		f.connectFailed(poller.ETIMEDOUT)
	case pausing:
		f.connect()
	case forwarding:
		if late == &f.client {
			f.frontend.Stats.Add(f.loop.ID, stats.ClientTimeouts, 1)
			f.end('c', 'D')
		} else {
			f.frontend.Stats.Add(f.loop.ID, stats.ServerTimeouts, 1)
			f.countServer(stats.ServerTimeouts)
			f.end('s', 'D')
		}
	}
}
