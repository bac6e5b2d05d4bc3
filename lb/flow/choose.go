package flow

import (
	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// choose asks the backend for a server.
func (f *Flow) choose() {
	if f.backend == nil {
		f.frontend.Stats.Add(f.loop.ID, stats.NoServer, 1)
		f.end('S', 'C')
		return
	}
	f.client.independent, f.server.independent = f.frontend.IndependentStreams, f.backend.IndependentStreams
	f.client.spliceAfter = f.frontend.spliceAfter(f.backend, false)
	f.server.spliceAfter = f.frontend.spliceAfter(f.backend, true)
	f.meter()
	if f.backend.Direct != nil {
		f.backend.Flows.Add(1)
		f.admitted = true
		f.target = f.backend.Direct
		f.queueEnd = f.loop.Now()
		f.connect()
		return
	}
	f.admitted = true
	f.chosen(f.backend.Admit(&f.ask().Request))
}

// chosen acts on what the backend answered.
func (f *Flow) chosen(outcome backend.Outcome) {
	switch outcome {
	case backend.Granted:
		f.queueEnd = f.loop.Now()
		if f.stage == queued {
			f.waits(-1)
			f.request.CountWait(f.queueEnd - f.attempt)
		}
		f.answered()
		if last := f.lastServer; last != nil && last != f.slot {
			f.redispatched = true
			f.countConnect(stats.Redispatches)
		}
		f.lastServer = f.slot
		f.target = TargetOf(f.lastServer)
		f.connect()
	case backend.Waiting: // from here on the backend owns the request
		f.slot = nil
		if f.stage != queued { // not when it was sent back: it has waited since then
			f.stage = queued
			f.waits(1)
			f.attempt = f.loop.Now()
		}
		if f.client.closing && f.clientLeft() {
			return
		}
		f.rearm()
	case backend.NoServer:
		f.answered()
		if f.stage == queued { // sent back: it waits no more, and no grant is on its way
			f.waits(-1)
			f.queueEnd = f.loop.Now()
			f.stage = connecting
		}
		f.end('S', 'C')
	}
}

// clientLeft deals with an end of the client that was reported before the flow began to wait.
func (f *Flow) clientLeft() bool {
	f.clientWhileWaiting(poller.PeerClosed)
	return f.stage == closed
}

// Deliver is the flow's mail: its request has left the queue, with a slot or sent back.
func (f *Flow) Deliver(*poller.Mail) {
	if f.stage == orphaned { // it gave up in between: the slot goes on to the next
		f.recycle()
		return
	}
	if f.request.Server == nil {
		f.chosen(f.backend.Retry(&f.request.Request))
		return
	}
	f.chosen(backend.Granted)
}
