package flow

import (
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/poller"
)

// end closes a flow: counters, the log line, both sockets, the slot, the places within the limits. The letters are its
// termination state unless an earlier event has given it one. The flow must not be touched afterwards.
func (f *Flow) end(cause, at byte) {
	if f.ended == (termination{}) {
		f.ended = termination{cause, at}
	}
	l := f.loop
	l.Disarm(&f.timer)
	f.unpark()
	if f.redirect != nil {
		f.countRedirected()
	}
	f.countBytes()
	if f.stage == queued {
		f.waits(-1)
		f.countLeft(cause)
		f.queueEnd = l.Now()
	}
	granted := f.stage == queued && !f.backend.Cancel(&f.request.Request)
	if granted { // another loop may be writing the request still: Deliver will recycle the flow
		f.stage = orphaned
	}
	if f.stage == opening {
		f.leaveRoom()
	}
	f.countTimes()
	f.closeServer()
	// HAProxy's counts in the log line leave out the server's slot and the backend's place, which are free by then.
	if !granted {
		f.releaseSlot()
	}
	if !f.logged {
		f.log(false)
	}
	f.closeClient()
	if f.redirect != nil {
		f.forgetRedirect()
	}
	f.bind.release()
	if granted {
		return
	}
	f.stage = closed
	l.put(f)
}

// countLeft counts a flow that ends while it waits for a slot, at the backend and at the server for which it waits.
func (f *Flow) countLeft(cause byte) {
	id := stats.QueueLeft
	if cause == 's' {
		id = stats.QueueTimeouts
	}
	f.backend.Stats.Add(f.loop.ID, id, 1)
	if s := f.request.WaitsAt(); s != nil {
		s.Stats.Add(f.loop.ID, id, 1)
	}
}

// recycle ends an orphaned flow.
func (f *Flow) recycle() {
	f.answered()
	f.releaseSlot()
	f.stage = closed
	f.loop.put(f)
}

// closeServer closes the server's socket: before its slot goes to the next flow, so that the server, too, sees this one end
// before that one begins.
func (f *Flow) closeServer() {
	l := f.loop
	f.dropTowards(&f.client)
	f.dropTowards(&f.server)
	l.closed = poller.Addr{}
	if !f.server.Open() {
		return
	}
	f.samplePath()
	if f.frontend.LogBackendSource {
		l.closed = l.LocalAddr(&f.server.Socket)
	}
	if f.backend.NoLinger {
		f.server.Abort()
	}
	l.Close(&f.server.Socket)
}

// samplePath looks at the way to the server, for some of the flows that end: the looks of a loop are spread over the second, so that
// a busy server is seen in proportion, and they cost the same however many flows there are.
func (f *Flow) samplePath() {
	l := f.loop
	if l.process.PathSamples == 0 || f.connected == 0 || f.lastServer == nil || l.Now()-l.sampled < time.Second/time.Duration(l.process.PathSamples) {
		return
	}
	l.sampled = l.Now()
	path, errno := f.server.Path()
	if errno != 0 { // a unix socket has none
		return
	}
	to := f.lastServer.Stats
	to.Add(l.ID, stats.PathSamples, 1)
	to.Add(l.ID, stats.PathRoundTrip, uint64(path.RoundTrip/time.Microsecond))
	to.Add(l.ID, stats.PathSegments, path.Segments)
	to.Add(l.ID, stats.PathRetransmits, path.Retransmitted)
}

func (f *Flow) closeClient() {
	l := f.loop
	if f.connected == 0 && !f.client.readClosed {
		f.discard()
	}
	if f.frontend.NoLinger {
		f.client.Abort()
	}
	l.Close(&f.client.Socket)
	if f.told != nil {
		l.putTold(f.told)
		f.told = nil
	}
}

// discardMost bounds the reads of discard.
const discardMost = 4

// discard reads what a client has sent to a flow that never got to a server: closing a socket with unread bytes sends a
// reset (RFC 2525, 2.17), and the client would be told of a broken connection where there is only none.
func (f *Flow) discard() {
	for range discardMost {
		n, errno := f.client.Recv(f.loop.Buffer())
		if errno != 0 || n < len(f.loop.Buffer()) {
			return
		}
	}
}

func (f *Flow) second() uint32 { return uint32(f.loop.Now() / time.Second) }

// countBytes adds what was forwarded since the last time to the counters.
func (f *Flow) countBytes() {
	in, out := f.in-f.countedIn, f.out-f.countedOut
	f.countedIn, f.countedOut, f.countedAt = f.in, f.out, f.second()
	if in == 0 && out == 0 {
		return
	}
	sets := [...]*stats.Counters{f.frontend.Stats, f.bind.Stats, nil, nil, nil}
	if f.backend != nil {
		sets[2] = f.backend.Stats
	}
	if f.slot != nil {
		sets[3] = f.slot.Stats
	}
	if f.bind.Tenant != nil {
		sets[4] = f.bind.Tenant.Stats
	}
	for _, s := range sets {
		if s != nil {
			s.Add(f.loop.ID, stats.BytesIn, in)
			s.Add(f.loop.ID, stats.BytesOut, out)
		}
	}
}

// countTimes notes how long a flow that reached its server took.
func (f *Flow) countTimes() {
	if f.connected == 0 {
		return
	}
	sets := [...]*stats.Counters{f.backend.Stats, nil}
	if f.lastServer != nil {
		sets[1] = f.lastServer.Stats
	}
	for _, s := range sets {
		if s != nil {
			s.AddTime(f.loop.ID, stats.QueueTime, f.queueEnd-f.headerEnd)
			s.AddTime(f.loop.ID, stats.ConnectTime, f.connected-f.queueEnd)
			s.AddTime(f.loop.ID, stats.TotalTime, f.loop.Now()-f.start)
		}
	}
}

// logConnect writes the line of a flow that begins, where the proxy has no format for its end.
func (f *Flow) logConnect() {
	fe := f.frontend
	if fe.Log == nil || fe.ConnectFormat == nil {
		return
	}
	f.fill(&f.loop.record)
	fe.Log.Flow(f.loop.ID, tcplog.Info, fe.ConnectFormat, &f.loop.record)
}

// log writes the flow's line; early is logasap's, at the beginning of the forwarding.
func (f *Flow) log(early bool) {
	fe := f.frontend
	if fe.Log == nil || fe.Format == nil {
		return
	}
	level := tcplog.Info
	normal := (early || f.ended == termination{'-', '-'}) && f.retries == 0
	switch {
	case normal && fe.DontLogNormal, !early && fe.DontLogNull && f.in == 0:
		return
	case !normal && fe.SeparateErrors:
		level = tcplog.Err
	}
	f.logged = early
	f.fill(&f.loop.record)
	f.loop.record.LogASAP = early
	fe.Log.Flow(f.loop.ID, level, fe.Format, &f.loop.record)
}

// logError writes the line of a connection that ended before it was a flow.
func (f *Flow) logError(text string) {
	fe := f.frontend
	if fe.Log == nil || fe.ErrorFormat == nil {
		return
	}
	f.fill(&f.loop.record)
	f.loop.record.Error = text
	level := tcplog.Info
	if fe.SeparateErrors {
		level = tcplog.Err
	}
	fe.Log.Flow(f.loop.ID, level, fe.ErrorFormat, &f.loop.record)
}

// fill makes r tell of f as it is now.
func (f *Flow) fill(r *tcplog.Record) {
	fe := f.frontend
	*r = tcplog.Record{
		Client:       f.source,
		ClientUnix:   f.told != nil && f.told.path != "",
		ListenerID:   f.bind.ID,
		ListenerName: f.bind.Name,
		Accept:       f.loop.Wall().Add(f.start - f.loop.Now()),
		Handshake:    milliseconds(f.headerEnd, f.start),
		Queue:        milliseconds(f.queueEnd, f.headerEnd),
		Connect:      milliseconds(f.connected, f.queueEnd),
		Total:        milliseconds(f.loop.Now(), f.start),
		Frontend:     fe.Name,
		Backend:      fe.Name,
		BytesIn:      f.in,
		BytesOut:     f.out,
		Termination:  f.ended,
		ActConn:      int(fe.Process.Flows.Value()),
		FeConn:       int(fe.Flows.Value()),
		Retries:      int(f.retries),
		Redispatched: f.redispatched,
		Counter:      f.number,
		LogCounter:   fe.logCounter.Add(1) - 1,

		FrontendID: fe.ID, BackendID: fe.ID, DefaultBackend: fe.DefaultBackend, Loop: f.loop.ID, Class: fe.Class, Offset: fe.Offset,
		ReceivedProxy: f.bind.AcceptProxy && f.headerEnd != 0,
	}
	r.Now = r.Accept.Add(f.loop.Now() - f.start)
	if f.told != nil {
		r.Authority, r.CarriedID = f.told.authority, f.told.uniqueID
	}
	if fe.LogFrontendAddr {
		r.FrontendAddr = f.destinationAddr().AddrPort
	}
	if f.backend == nil {
		return
	}
	r.Backend, r.BackendID = f.backend.Name, f.backend.ID
	r.BeConn = int(f.backend.Flows.Value())
	if q := f.request; f.stage != orphaned && q != nil && q.Queued {
		r.BeQueue, r.SrvQueue = int(q.QueueAhead), int(q.ServerAhead)
	}
	if s := f.lastServer; s != nil {
		r.Server, r.ServerID = s.Name, s.ID
		r.SrvConn = s.Served()
	}
	if f.target != nil {
		r.BackendAddr = f.targetAddr(f.target).AddrPort
		switch {
		case fe.LogBackendSource && f.server.Open():
			r.BackendSource = f.loop.LocalAddr(&f.server.Socket).AddrPort
		case fe.LogBackendSource:
			r.BackendSource = f.loop.closed.AddrPort
		}
	}
}

// milliseconds between two moments of the flow, -1 if the later was not reached.
func milliseconds(end, start time.Duration) int {
	if end == 0 {
		return -1
	}
	return int((end - start) / time.Millisecond)
}
