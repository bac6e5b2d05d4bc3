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
	if f.backend.Direct != nil {
		f.backend.Flows.Add(1)
		f.admitted = true
		f.target = f.backend.Direct
		f.queueEnd = f.loop.Now()
		f.connect()
		return
	}
	f.request.Source, f.request.Port = f.source.Addr(), f.source.Port()
	f.request.Class, f.request.Offset = f.frontend.Class, f.frontend.Offset
	f.request.Now = f.loop.Now()
	f.admitted = true
	f.chosen(f.backend.Admit(&f.request))
}

// chosen acts on what the backend answered.
func (f *Flow) chosen(outcome backend.Outcome) {
	switch outcome {
	case backend.Granted:
		f.queueEnd = f.loop.Now()
		if f.stage == queued {
			f.request.CountWait(f.queueEnd - f.attempt)
		}
		if last := f.lastServer; last != nil && last != f.request.Server {
			f.redispatched = true
			f.countConnect(stats.Redispatches)
		}
		f.lastServer = f.request.Server
		f.target = f.backend.Targets[f.lastServer.Index].Load()
		f.connect()
	case backend.Waiting:
		if f.stage != queued { // not when it was sent back: it has waited since then
			f.stage = queued
			f.attempt = f.loop.Now()
		}
		if f.client.closing && f.clientLeft() {
			return
		}
		f.rearm()
	case backend.NoServer:
		if f.stage == queued { // sent back: it waits no more, and no grant is on its way
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

// Granted is called by the backend, on any loop: the word is passed on to the flow's own.
func (f *Flow) Granted() { f.loop.Post(&f.mail) }

// Deliver is the flow's mail: its request has left the queue, with a slot or sent back.
func (f *Flow) Deliver(*poller.Mail) {
	if f.stage == orphaned { // it gave up in between: the slot goes on to the next
		f.recycle()
		return
	}
	if f.request.Server == nil {
		f.chosen(f.backend.Retry(&f.request))
		return
	}
	f.chosen(backend.Granted)
}
