package flow

import (
	"bytes"
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
	f.source = peer
	f.accepted, f.start = l.Wall(), l.Now()
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
	if uniqueID, authority := wire.Carried(f.loop.Buffer()[:size]); uniqueID != nil || authority != nil {
		f.carried = &carried{bytes.Clone(uniqueID), bytes.Clone(authority)}
	}
	if _, errno := f.client.Recv(f.loop.Buffer()[:size]); errno != 0 {
		f.headerFailed(stats.HeaderAborted, "Connection error while waiting for PROXY protocol header")
		return
	}
	if !h.Local && !h.Unknown {
		f.source = address(h.Source)
		f.destination = address(h.Destination)
	}
	f.headerDone()
}

// carried is what a PROXY header told besides the addresses, for the server's.
type carried struct {
	uniqueID, authority []byte
}

func (f *Flow) headerFailed(why stats.ID, text string) {
	f.frontend.Stats.Add(f.loop.ID, why, 1)
	f.logError(text)
	f.logged = true
	f.end('P', 'R')
}

func (f *Flow) headerDone() {
	f.headerEnd = f.loop.Now()
	f.frontend.Stats.Add(f.loop.ID, stats.Sessions, 1)
	f.frontend.Process.Counter.Add(1)
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

// target address of the client: asked of the kernel only when somebody needs it.
func (f *Flow) destinationAddr() poller.Addr {
	if !f.destination.IsValid() && !f.destination.IsUnix() {
		f.destination = f.loop.LocalAddr(&f.client.Socket)
	}
	return f.destination
}
