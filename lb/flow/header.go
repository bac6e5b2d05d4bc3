package flow

import (
	"errors"

	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/wire"
	"github.com/sluice-lb/sluice/poller"
)

// begin starts a flow for an accepted connection, whose places within the limits are claimed.
func (l *Loop) begin(b *Bind, socket poller.Socket, peer poller.Addr) {
	f := l.take()
	f.frontend, f.bind, f.backend = b.Frontend, b, b.Frontend.Backend
	f.client.Socket = socket
	f.client.noDelay = true // inherited from the listener
	f.setSource(peer)
	f.start = l.Now()
	f.client.activity, f.client.progress = f.start, f.start
	f.stage = header
	if errno := l.Watch(&f.client.Socket, &f.client); errno != 0 {
		b.Frontend.Stats.Add(l.ID, stats.AcceptExhausted, 1)
		f.end('R', 'R')
		return
	}
	if b.AcceptProxy {
		f.rearm()
		return // the first event brings readHeader
	}
	f.headerDone()
}

// readHeader reads the PROXY header once it is whole. It looks at the bytes before it takes them, so that not one byte of
// the payload is touched.
func (f *Flow) readHeader() {
	n, errno := f.client.Peek(f.loop.Buffer())
	if errno == poller.EAGAIN {
		f.client.readable = false
		return
	}
	if errno != 0 || n == 0 {
		f.headerFailed(stats.HeaderAborted, "Connection closed while waiting for PROXY protocol header")
		return
	}
	h, size, err := wire.Decode(f.loop.Buffer()[:n])
	switch {
	case errors.Is(err, wire.ErrShort) && !f.client.closing && n < len(f.loop.Buffer()):
		return // more will come, and with it an event
	case errors.Is(err, wire.ErrShort):
		f.headerFailed(stats.HeaderAborted, "Truncated PROXY protocol header received")
		return
	case errors.Is(err, wire.ErrSignature):
		f.headerFailed(stats.HeaderMalformed, "Received something which does not look like a PROXY protocol header")
		return
	case errors.Is(err, wire.ErrProtocol), errors.Is(err, wire.ErrFamily):
		f.headerFailed(stats.HeaderMalformed, "Received an unhandled protocol in the PROXY protocol header")
		return
	case err != nil:
		f.headerFailed(stats.HeaderMalformed, "Received an invalid PROXY protocol header")
		return
	}
	f.takeTold()
	uniqueID, authority, namespace := wire.Carried(f.loop.Buffer()[:size])
	f.told.uniqueID = append(f.told.uniqueID, uniqueID...)
	f.told.authority = append(f.told.authority, authority...)
	f.tellNamespace(namespace)
	if _, errno := f.client.Recv(f.loop.Buffer()[:size]); errno != 0 {
		f.headerFailed(stats.HeaderAborted, "Connection error while waiting for PROXY protocol header")
		return
	}
	if !h.Local && !h.Unknown {
		f.setSource(address(h.Source))
		f.told.destination = address(h.Destination)
	}
	f.headerDone()
}

// told is what few clients have: what a PROXY header told besides the client's address, and the path of a unix socket's. It is
// recycled with its slices.
type told struct {
	path                string      // of the client's unix socket; empty: it has another kind
	destination         poller.Addr // zero: none was told
	uniqueID, authority []byte      // empty: none was told
	namespace           *Namespace  // nil: none was told
	stranger            bool        // one was told that clients may not name
	next                *told
}

// takeTold makes sure that f.told is there.
func (f *Flow) takeTold() {
	l := f.loop
	t := l.tales
	switch {
	case f.told != nil:
	case t == nil:
		f.told = new(told)
	default:
		l.tales = t.next
		*t = told{uniqueID: t.uniqueID[:0], authority: t.authority[:0]}
		f.told = t
	}
}

// setSource notes the client's address.
func (f *Flow) setSource(a poller.Addr) {
	f.source = a.AddrPort
	if a.IsUnix() {
		f.takeTold()
	}
	if f.told != nil {
		f.told.path = a.Path
	}
}

// sourceOf is the client's address.
func (f *Flow) sourceOf() poller.Addr {
	a := poller.IP(f.source)
	if f.told != nil {
		a.Path = f.told.path
	}
	return a
}

func (l *Loop) putTold(t *told) { t.next, l.tales = l.tales, t }

func (f *Flow) headerFailed(why stats.ID, text string) {
	f.frontend.Stats.Add(f.loop.ID, why, 1)
	f.logError(text)
	f.logged = true
	f.end('P', 'R')
}

func (f *Flow) headerDone() {
	f.headerEnd = f.loop.Now()
	f.frontend.Stats.Add(f.loop.ID, stats.Sessions, 1)
	f.number = f.frontend.Process.Counter.Add(1) - 1
	f.logConnect()
	f.choose()
}

// address makes a poller's address of a PROXY header's.
func address(e wire.Endpoint) poller.Addr {
	if e.Path == "" && !e.AddrPort.IsValid() {
		return poller.Addr{Path: "@"}
	}
	path := e.Path
	if path != "" && path[0] == 0 {
		path = "@" + path[1:]
	}
	return poller.Addr{AddrPort: e.AddrPort, Path: path}
}

// endpoint is the other way round.
func endpoint(a poller.Addr) wire.Endpoint {
	if a.IsUnix() {
		if a.Path == "@" {
			return wire.Endpoint{}
		}
		if a.Path[0] == '@' {
			return wire.Endpoint{Path: "\x00" + a.Path[1:]}
		}
		return wire.Endpoint{Path: a.Path}
	}
	return wire.Endpoint{AddrPort: a.AddrPort}
}

// destinationAddr is the address that the client meant: told by its PROXY header, or asked of the kernel.
func (f *Flow) destinationAddr() poller.Addr {
	if t := f.told; t != nil && (t.destination.IsValid() || t.destination.IsUnix()) {
		return t.destination
	}
	return f.loop.LocalAddr(&f.client.Socket)
}
