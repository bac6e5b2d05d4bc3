package flow

import (
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

const (
	// roundBudget is how often one event may read before other flows have their turn.
	roundBudget = 4
	// crowdedRead is how many bytes an event may read, once, while flows of the loop have small things to say: they wait for
	// all that bulk transfers move in a turn, and what is behind it in the kernel's queues.
	crowdedRead = 16 << 10
	// spliceAfter full reads, in events that begin with one, make a direction a bulk transfer, to be spliced.
	spliceAfter = 3
	// smallSplice is the number of bytes below which a splice moved too little to be worth its system calls.
	smallSplice = 4096
	// smallSplices in a row send the direction back to copying.
	smallSplices = 8
	// neverSplice is more full reads in a row than are counted.
	neverSplice = 255
)

// forwardReady moves bytes after an event on s.
func (f *Flow) forwardReady(s *side, ev poller.Events) {
	o := f.other(s)
	if ev&poller.Writable != 0 && (f.owing(o, s) || o.readable) {
		f.forward(o, s)
	}
	if f.stage == forwarding && s.readable {
		f.forward(s, o)
	}
	f.settle()
}

// forwardBoth moves whatever there is, in both directions.
func (f *Flow) forwardBoth() {
	f.forward(&f.client, &f.server)
	if f.stage == forwarding {
		f.forward(&f.server, &f.client)
	}
	f.settle()
}

// settle ends the flow if it is done, and sees to its timer otherwise.
func (f *Flow) settle() {
	if f.stage != forwarding {
		return
	}
	if f.finished(&f.client, &f.server) && f.finished(&f.server, &f.client) {
		f.end('-', '-')
		return
	}
	if f.frontend.ContStats && f.second() != f.countedAt {
		f.countBytes()
	}
	if f.redirectable {
		f.tryRedirect()
	}
	f.rearm()
}

// finished tells whether no more bytes will go from from to to.
func (f *Flow) finished(from, to *side) bool {
	return to.writeClosed || from.readClosed && !f.owing(from, to)
}

// owing tells whether bytes of from are held because to has not taken them yet.
func (f *Flow) owing(from, to *side) bool { return to.held != nil || from.pipe != nil }

// forward moves what from has, as far as to takes it, within the round budget. The end of from is passed on behind its
// last byte.
func (f *Flow) forward(from, to *side) {
	f.move(from, to)
	if f.stage != forwarding {
		return
	}
	if from.pipe != nil && from.pipe.Held() == 0 { // no pipe at rest
		f.loop.PutPipe(from.pipe)
		from.pipe = nil
	}
	if from.readClosed && !to.writeClosed && !f.owing(from, to) && !f.finished(to, from) {
		// The reverse direction goes on: half-close. When it is finished too, the flow's end closes both sockets.
		if f.noLinger(to) { // a FIN would leave the TIME_WAIT that the option is to spare
			f.end('-', '-')
			return
		}
		to.CloseWrite()
		to.writeClosed = true
		to.activity = f.loop.Now()
	}
}

// noLinger tells whether "option nolinger" holds for s.
func (f *Flow) noLinger(s *side) bool {
	if s.isServer {
		return f.backend.NoLinger
	}
	return f.frontend.NoLinger
}

func (f *Flow) move(from, to *side) {
	if from.course != looped {
		return
	}
	for round := 0; ; round++ {
		if !f.flush(from, to) || !from.readable || from.readClosed || to.writeClosed {
			return
		}
		if from.metering != unmetered && !f.meterOf(from).grants(from) {
			return
		}
		if round == roundBudget || round > 0 && f.loop.crowded() {
			f.loop.Again(&from.Socket, poller.Readable)
			return
		}
		if from.fullReads >= from.spliceAfter && !from.urgent { // splice never gets past an urgent mark
			f.splice(from)
		} else {
			f.copy(from, to, round == 0)
		}
	}
}

// copy reads once and sends at once; what to does not take is held, and then nothing more is read. first tells that it is
// the first read of an event: if that one is short already, the direction is not bulk.
func (f *Flow) copy(from, to *side, first bool) {
	buffer := f.loop.Buffer()
	buffer = buffer[:f.most(from, len(buffer))]
	n, errno := from.Recv(buffer)
	if !f.received(from, n, errno) {
		return
	}
	if n == len(buffer) {
		from.fullReads = min(from.fullReads+1, spliceAfter)
	} else {
		// A short read has drained the socket. If the peer's FIN was reported before it, everything up to the FIN has been
		// read, and one more read would only say so.
		if first {
			from.fullReads = 0
			f.loop.smallRead()
		}
		if !from.urgent {
			from.readable = from.failed || from.closing && f.redirect != nil
			from.readClosed = from.closing && !from.readable
		}
	}
	// The end follows these bytes at once: in one segment with them, if the kernel waits for it.
	sent, ok := f.send(to, buffer[:n], from.readClosed)
	if ok && sent < n {
		to.held, to.sent = f.loop.Hold(buffer[sent:n]), 0
	}
}

// most is how many of n bytes one read of from may bring.
func (f *Flow) most(from *side, n int) int {
	if n > crowdedRead && f.loop.crowded() {
		n = crowdedRead
	}
	if from.metering != unmetered {
		n = f.meterOf(from).most(from, n)
	}
	return n
}

// splice fills from's pipe once. Without a pipe the bytes are copied.
func (f *Flow) splice(from *side) {
	if from.pipe == nil {
		if from.pipe = f.loop.Pipe(); from.pipe == nil {
			from.fullReads, from.spliceAfter = 0, neverSplice
			return
		}
	}
	n, errno := from.pipe.Fill(&from.Socket, f.most(from, from.pipe.Size()))
	if errno == poller.EINVAL { // a socket that cannot be spliced
		from.fullReads, from.spliceAfter = 0, neverSplice
		return
	}
	if !f.received(from, n, errno) {
		return
	}
	f.frontend.Stats.Add(f.loop.ID, stats.Spliced, uint64(n))
	if n >= smallSplice {
		from.smallSplices = 0
	} else if from.smallSplices++; from.smallSplices == smallSplices {
		from.smallSplices, from.fullReads = 0, 0
	}
}

// received notes what a read of from brought; false if it brought no bytes.
func (f *Flow) received(from *side, n int, errno poller.Errno) bool {
	switch {
	case errno == poller.EAGAIN:
		from.readable = false
		return false
	case errno != 0:
		f.broken(from)
		return false
	case n == 0:
		if f.redirect != nil && f.behind(from) {
			return false
		}
		from.readClosed, from.readable = true, false
		return false
	}
	now := f.loop.Now()
	if idle := f.frontend.Process.IdleTimer; idle > 0 && now-from.activity > idle {
		from.fullReads = 0
	}
	from.activity = now
	if from.metering != unmetered {
		f.meterOf(from).spend(from, n)
	}
	if from.isServer {
		f.out += uint64(n)
	} else {
		f.in += uint64(n)
	}
	return true
}

// flush sends what is held for to, or lies in the pipe towards it. True: nothing is left, more can be read.
func (f *Flow) flush(from, to *side) bool {
	for to.held != nil && !to.blocked {
		n, ok := f.send(to, to.held[to.sent:], false)
		if !ok {
			return false
		}
		if to.sent += n; to.sent == len(to.held) {
			f.loop.Unhold(to.held)
			to.held = nil
		}
	}
	for from.pipe != nil && from.pipe.Held() > 0 && !to.blocked && !to.writeClosed {
		f.beforeSend(to)
		n, errno := from.pipe.Drain(&to.Socket, false)
		if _, ok := f.sent(to, n, from.pipe.Held()+n, errno); !ok {
			return false
		}
	}
	return to.held == nil && (from.pipe == nil || from.pipe.Held() == 0)
}

// send gives to what it takes of b; more will follow at once if the caller says so. False: to is broken.
func (f *Flow) send(to *side, b []byte, more bool) (int, bool) {
	f.beforeSend(to)
	if more {
		n, errno := to.SendMore(b)
		return f.sent(to, n, len(b), errno)
	}
	n, errno := to.Send(b)
	return f.sent(to, n, len(b), errno)
}

// beforeSend switches Nagle's algorithm off before the second send: the first is never delayed, so a server connection
// that carries one request saves the call. (The client's socket inherited the option.)
func (f *Flow) beforeSend(to *side) {
	if to.noDelay {
		return
	}
	if to.wrote {
		to.NoDelay()
		to.noDelay = true
	}
	to.wrote = true
}

// sent notes that to took n of wanted bytes.
func (f *Flow) sent(to *side, n, wanted int, errno poller.Errno) (int, bool) {
	if errno == poller.EAGAIN {
		n, errno = 0, 0
	}
	if errno != 0 {
		f.sendFailed(to)
		return 0, false
	}
	now := f.loop.Now()
	if n > 0 && !to.independent {
		to.activity = now
	}
	to.progress = now
	to.blocked = n < wanted
	return n, true
}

// sendFailed notes that to takes no bytes any more. It may still have something to say: a server that refuses a request's
// body answers, closes, and its kernel resets what arrives late. So it is read to its end.
func (f *Flow) sendFailed(to *side) {
	to.writeClosed, to.blocked = true, false
	f.dropTowards(to)
	if to.readClosed && to.isServer {
		return // it had ended its side in good order, and does not care for the rest
	}
	f.aborted(to)
	if !to.readClosed {
		to.readable, to.closing = true, true
		f.loop.Again(&to.Socket, poller.Readable)
	}
}

// broken notes that s was reset, or that its connection died otherwise: nothing more comes from it or goes to it. What it
// said before is still delivered.
func (f *Flow) broken(s *side) {
	s.readClosed, s.writeClosed, s.readable, s.blocked = true, true, false, false
	f.dropTowards(s)
	f.aborted(s)
}

// aborted notes who broke the flow, for its termination state; the first counts.
func (f *Flow) aborted(s *side) {
	if f.ended != (termination{}) {
		return
	}
	if s.isServer {
		f.ended = termination{'S', 'D'}
		f.frontend.Stats.Add(f.loop.ID, stats.ServerAborts, 1)
		f.countConnect(stats.ServerAborts)
	} else {
		f.ended = termination{'C', 'D'}
		f.frontend.Stats.Add(f.loop.ID, stats.ClientAborts, 1)
		f.countConnect(stats.ClientAborts)
	}
}

// dropTowards gives up what to has not taken.
func (f *Flow) dropTowards(to *side) {
	if to.held != nil {
		f.loop.Unhold(to.held)
		to.held = nil
	}
	if from := f.other(to); from.pipe != nil {
		f.loop.PutPipe(from.pipe)
		from.pipe = nil
	}
}
