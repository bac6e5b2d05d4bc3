package flow

import (
	"errors"
	"net/netip"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/wire"
	"github.com/sluice-lb/sluice/poller"
)

// connect begins one attempt at the chosen server.
func (f *Flow) connect() {
	f.stage = connecting
	f.attempt = f.loop.Now()
	f.server = side{flow: f, isServer: true, spliceAfter: f.server.spliceAfter, independent: f.server.independent, metering: f.server.metering}
	t := f.target
	if t.Unresolved {
		f.connectFailed(poller.EHOSTUNREACH)
		return
	}
	f.countServer(stats.Connections)
	f.dial()
}

// dial makes the socket and connects it.
func (f *Flow) dial() {
	t := f.target
	addr := f.targetAddr(t)
	if t.SOCKS4.IsValid() {
		addr = t.SOCKS4
	}
	var errno poller.Errno
	if t.Namespace == nil && !t.ClientNamespace {
		errno = f.loop.Connect(&f.server.Socket, addr, f.sourceAddr(t), &t.Options)
	} else {
		n, allowed := f.namespace(t)
		if !allowed { // nor will it be, the next time
			f.cause = stats.ConnectUnreached
			f.countConnect(f.cause)
			f.connectGivesUp()
			return
		}
		errno = f.dialIn(n, t, addr)
	}
	if errno == 0 || errno == poller.EINPROGRESS {
		errno = f.loop.Watch(&f.server.Socket, &f.server)
	}
	switch errno {
	case 0:
	case poller.SocketAwaited:
		n, _ := f.namespace(t)
		f.awaitSocket(n, addr)
		return
	default:
		f.connectFailed(errno)
		return
	}
	if t.SmartConnect {
		f.server.QuickAck(false)
	}
	f.rearm()
}

// dialIn is dial's connect from a namespace; nil: the process's own, which is the client's.
func (f *Flow) dialIn(n *Namespace, t *Target, addr poller.Addr) poller.Errno {
	if n == nil {
		return f.loop.Connect(&f.server.Socket, addr, f.sourceAddr(t), &t.Options)
	}
	return f.loop.ConnectIn(n.sockets, &f.server.Socket, addr, f.sourceAddr(t), &t.Options)
}

// targetAddr is where the connection goes: a server's address may leave IP or port to be those that the client meant.
func (f *Flow) targetAddr(t *Target) poller.Addr {
	addr := t.Addr
	if addr.IsUnix() || !t.ClientIP && !t.OffsetPort && addr.Port() != 0 {
		return addr
	}
	ip, port, meant := addr.Addr(), addr.Port(), f.destinationAddr()
	if t.ClientIP {
		ip = meant.Addr()
	}
	if t.OffsetPort {
		port = uint16(int(meant.Port()) + t.PortOffset)
	} else if port == 0 {
		port = meant.Port()
	}
	return poller.IP(netip.AddrPortFrom(ip, port))
}

func (f *Flow) sourceAddr(t *Target) poller.Addr {
	if t.SourceUse == OwnSource || !f.source.IsValid() {
		return t.Source
	}
	port := uint16(0)
	if t.SourceUse == ClientSource {
		port = f.source.Port()
	}
	return poller.IP(netip.AddrPortFrom(f.source.Addr(), port))
}

// connectReady is told of the first event on the server's socket.
func (f *Flow) connectReady(ev poller.Events) {
	if ev&(poller.Failed|poller.Hangup) != 0 {
		if errno := f.server.Failure(); errno != 0 {
			f.connectFailed(errno)
			return
		}
		if ev&poller.Failed != 0 {
			f.connectFailed(poller.ECONNRESET)
			return
		}
	}
	if ev&poller.Writable == 0 {
		return
	}
	if f.target.SOCKS4.IsValid() {
		f.stage = handshake
		f.preface(wire.AppendSOCKS4(f.loop.header[:0], f.targetAddr(f.target).AddrPort), false)
		return
	}
	f.established()
}

// handshakeReady reads the SOCKS4 proxy's answer: connect's failure if it refuses.
func (f *Flow) handshakeReady() {
	if f.server.readable = true; !f.flush(&f.client, &f.server) && f.server.writeClosed {
		f.connectFailed(poller.ECONNRESET)
		return
	}
	buffer := f.loop.Buffer()
	n, errno := f.server.Peek(buffer)
	if errno == poller.EAGAIN {
		return
	}
	if errno != 0 || n == 0 {
		f.connectFailed(poller.ECONNRESET)
		return
	}
	size, err := wire.DecodeSOCKS4(buffer[:n])
	if errors.Is(err, wire.ErrShort) && !f.server.closing {
		return
	}
	if err != nil {
		f.connectFailed(poller.ECONNREFUSED)
		return
	}
	f.server.Recv(buffer[:size])
	f.established()
}

// established begins the forwarding, with the PROXY header before it where the server wants one.
func (f *Flow) established() {
	f.connected = f.loop.Now()
	f.stage = forwarding
	f.redirectable = f.loop.Redirect != nil && (f.frontend.Redirect || f.backend.Redirect) &&
		f.client.metering == unmetered && f.server.metering == unmetered
	f.observe(true)
	f.server.activity, f.server.progress = f.connected, f.connected
	f.client.activity = f.connected
	if t := f.target; t.SendProxy > 0 {
		f.sendProxy(t)
	}
	if f.frontend.LogASAP {
		f.log(true)
	}
	// Events of the server's socket that came with the connect were noted in its readable; the client may have been
	// readable for long.
	if f.stage == forwarding {
		f.forwardBoth()
	}
}

// sendProxy sends the PROXY header. Where the client's first bytes are already there, they go out in one segment with it.
func (f *Flow) sendProxy(t *Target) {
	b := f.loop.header[:0]
	from, to := endpoint(f.sourceOf()), endpoint(f.destinationAddr())
	if t.SendProxy == 1 {
		b = wire.AppendV1(b, from, to)
	} else {
		o := wire.V2Options{CRC32C: t.ProxyCRC32C}
		if c := f.told; c != nil && t.ProxyUnique {
			o.UniqueID = c.uniqueID
		}
		if c := f.told; c != nil && t.ProxyAuthority {
			o.Authority = c.authority
		}
		if n := f.clientNamespace(); n != nil {
			o.Namespace = n.Name
		}
		b = wire.AppendV2(b, from, to, o)
	}
	if !f.client.readable || f.client.spliceAfter == 0 {
		f.preface(b, false)
		return
	}
	f.preface(b, true)
	f.forward(&f.client, &f.server)
	if f.stage == forwarding && f.in == 0 && !f.server.writeClosed {
		f.server.NoDelay() // nothing followed: this pushes the header out (tcp(7))
		f.server.noDelay = true
	}
}

// preface sends what goes before the payload. What the kernel does not take is held like payload.
func (f *Flow) preface(b []byte, more bool) {
	if n, ok := f.send(&f.server, b, more); ok && n < len(b) {
		f.server.held, f.server.sent = f.loop.Hold(b[n:]), 0
	}
}

// connectFailed counts an attempt's failure and decides what follows: a retry, another server, or the end.
func (f *Flow) connectFailed(errno poller.Errno) {
	if f.stage == opening {
		f.leaveRoom()
		f.stage = connecting
	}
	f.loop.Close(&f.server.Socket)
	f.dropTowards(&f.server)
	f.cause = causeOf(errno)
	f.countConnect(f.cause)
	if f.cause != stats.ConnectLocal {
		f.observe(false)
	}
	if poller.Exhausted(errno) {
		f.frontend.exhausted(f.loop, errno)
	}
	if int(f.retries) >= f.backend.Retries {
		f.connectGivesUp()
		return
	}
	f.retries++
	f.countConnect(stats.Retries)
	if f.slot != nil && f.redispatchNow() {
		outcome := f.backend.Redispatch(&f.ask().Request)
		if outcome != backend.Granted || f.request.Server != f.slot {
			f.chosen(outcome)
			return
		}
		f.answered()
	}
	if f.cause == stats.ConnectTimeouts { // it has waited long enough
		f.connect()
		return
	}
	f.stage = pausing
	f.attempt = f.loop.Now()
	f.rearm()
}

// connectGivesUp ends a flow whose last attempt has failed.
func (f *Flow) connectGivesUp() {
	f.countConnect(stats.ConnectFailed)
	switch f.cause {
	case stats.ConnectTimeouts:
		f.end('s', 'C')
	case stats.ConnectLocal:
		f.end('R', 'C')
	default:
		f.end('S', 'C')
	}
}

// redispatchNow tells whether the retry just counted may go to another server. With "option redispatch" a flow that is not
// bound to its server goes at once, as with HAProxy; one that is goes at every N-th retry, N counting from the first one,
// or from the last one back when it is negative.
func (f *Flow) redispatchNow() bool {
	if f.backend.RedispatchEvery != 0 && f.backend.Movable() {
		return true
	}
	switch n := f.backend.RedispatchEvery; {
	case n > 0:
		return int(f.retries)%n == 0
	case n < 0:
		from := f.backend.Retries + 1 + n
		return from <= 0 || int(f.retries)%from == 0
	}
	return false
}

// turnaround is the pause before the same server is tried again: it may be restarting.
func (f *Flow) turnaround() uint64 {
	second := uint64(time.Second / time.Millisecond)
	if t := f.backend.Timeouts.Connect; t > 0 {
		return min(t, second)
	}
	return second
}

func causeOf(errno poller.Errno) stats.ID {
	switch errno {
	case poller.ECONNREFUSED, poller.ENOENT:
		return stats.ConnectRefused
	case poller.EHOSTUNREACH, poller.ENETUNREACH, poller.EHOSTDOWN, poller.ENETDOWN, poller.ENONET:
		return stats.ConnectUnreached
	case poller.ETIMEDOUT:
		return stats.ConnectTimeouts
	case poller.EADDRNOTAVAIL, poller.EADDRINUSE, poller.EACCES, poller.EPERM, poller.EINVAL:
		return stats.ConnectLocal
	}
	if poller.Exhausted(errno) {
		return stats.ConnectLocal
	}
	return stats.ConnectReset
}

func (f *Flow) countConnect(id stats.ID) {
	f.backend.Stats.Add(f.loop.ID, id, 1)
	f.countServer(id)
}

// countServer counts for the flow's server, if it has one.
func (f *Flow) countServer(id stats.ID) {
	if f.slot != nil {
		f.slot.Stats.Add(f.loop.ID, id, 1)
	}
}
