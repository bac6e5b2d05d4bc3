//go:build linux

package load

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// conn is one connection, or the place for one. Its loop alone touches it.
//
//	away ── open ──> connecting ──> busy ──> idle (open loop: until the schedule has something)
//	                                │  └───> held (until the run ends)
//	                                └──────> closing (the response is there; waits for the peer's FIN) ──> away
//
// Any failure leads to away, by fail, and back by a retry.
type conn struct {
	x          *exchange
	index      int32 // in loop.conns
	target     int32 // in Spec.Targets
	fd         int32
	generation int32 // an event of an earlier descriptor has another one
	state      state
	armed      uint32 // what epoll watches for
	first      bool   // is opened for the first time, and counts in loop.opening
	flying     bool   // has a request of the schedule

	began             int64 // what latency counts from: when the request was due, or was started
	started           int64 // what the timeout counts from
	toSend, toReceive int64 // bytes left of the exchange
	took              int64 // latency of an exchange whose connection still closes
}

type state uint8

const (
	away state = iota
	connecting
	busy
	idle
	held
	closing
)

const (
	watchRead  = unix.EPOLLIN | unix.EPOLLRDHUP
	watchWrite = watchRead | unix.EPOLLOUT
)

func addressOnly(source netip.Addr) netip.AddrPort { return netip.AddrPortFrom(source, 0) }

// open connects c, and starts an exchange on it if it is to have one. Latency counts from began.
func (l *loop) open(c *conn, began int64, exchange bool) {
	spec := &l.r.spec
	c.target = int32(l.turn % len(l.targets))
	target := &l.targets[c.target]
	fd, err := unix.Socket(target.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		l.failErrno(c, err)
		return
	}
	c.fd, c.state, c.armed = int32(fd), connecting, 0
	c.generation++
	c.started = l.r.now()
	c.began = began
	if len(l.sources) > 0 {
		source := &l.sources[l.turn/len(l.targets)%len(l.sources)]
		// The port is chosen at connect(2), when the target is known: ports are used up per target then (ip(7)).
		err = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err == nil {
			err = unix.Bind(fd, source.address)
		}
	}
	l.turn += spec.stride()
	if err == nil && !spec.connects() {
		err = unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1)
	}
	if err == nil && c.x.stream && spec.BulkRate > 0 {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, spec.BulkRate)
	}
	if err == nil {
		err = unix.Connect(fd, target.address)
	}
	switch {
	case err != nil && !errors.Is(err, unix.EINPROGRESS):
		l.failErrno(c, err)
	case spec.Kind == ConnectClose && spec.Close == CloseServer:
		c.state = closing
		l.watch(c, watchRead)
	case spec.Kind == ConnectClose, !exchange:
		l.watch(c, watchWrite)
	default:
		c.toSend, c.toReceive = c.x.request, c.x.response
		l.push(c)
	}
}

// exchange starts an exchange on a connection that is there. Latency counts from began.
func (l *loop) exchange(c *conn, began, now int64) {
	c.began, c.started = began, now
	c.toSend, c.toReceive = c.x.request, c.x.response
	c.state = busy
	l.push(c)
}

// push sends what the kernel takes. A stream gets a few pieces in a row, then the others have their turn.
func (l *loop) push(c *conn) {
	x := c.x
	for pieces := 0; c.toSend > 0 && pieces < 4; pieces++ {
		part := x.filler
		if sent := x.request - c.toSend; sent < int64(len(x.template)) {
			part = x.template[sent:]
		}
		part = part[:min(int64(len(part)), c.toSend)]
		n, errno := send(c.fd, part)
		if errno == unix.EAGAIN {
			break
		}
		if errno != 0 {
			l.failErrno(c, errno)
			return
		}
		if c.state == connecting {
			c.state = busy
			l.established(c)
		}
		l.sent(c, n)
		c.toSend -= int64(n)
	}
	switch {
	case x.quiet && c.toSend == 0:
		l.hold(c)
	case c.toSend > 0:
		l.watch(c, watchWrite)
	case x.short:
		l.watch(c, watchRead|unix.EPOLLET)
	default:
		l.watch(c, watchRead)
	}
}

// pull receives what is there. hangup: the peer's FIN is, too.
func (l *loop) pull(c *conn, hangup bool) {
	for pieces := 0; pieces < 4; pieces++ {
		received := c.x.response - c.toReceive
		buffer, flags := l.scratch[:shortest], uintptr(0)
		if received > 0 && c.toReceive > int64(len(buffer)) {
			buffer, flags = l.scratch, unix.MSG_TRUNC
		}
		n, errno := receive(c.fd, buffer, flags)
		switch {
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			l.failErrno(c, errno)
			return
		case n == 0:
			l.fail(c, "closed")
			return
		}
		l.received(c, n)
		c.toReceive -= int64(n)
		switch {
		case c.toReceive < 0, c.toReceive == 0 && c.toSend > 0, received == 0 && !c.x.right(buffer[:n]):
			kind := "garbled"
			if l.r.spec.Protocol == HTTP {
				kind = "status"
			}
			l.fail(c, kind)
			return
		case c.toReceive == 0:
			l.finish(c, hangup)
			return
		case n < len(buffer):
			return
		}
	}
}

// right tells whether a response begins as it has to. One that arrives in pieces smaller than that is believed.
func (x *exchange) right(response []byte) bool {
	end := x.skip + len(x.tag)
	return len(response) < end || string(response[x.skip:end]) == string(x.tag)
}

// finish is called when the response is whole.
func (l *loop) finish(c *conn, hangup bool) {
	now := l.r.now()
	switch spec := &l.r.spec; {
	case spec.Kind == Idle:
		l.hold(c)
	case !spec.connects():
		l.count(c, now-c.began, now)
		if c.flying {
			l.landed(c)
			c.state = idle
			l.idle.push(c.index)
			l.pump(now)
			return
		}
		l.exchange(c, now, now)
	case spec.Close == CloseServer && !hangup:
		c.took = now - c.began
		c.state = closing
	default:
		c.took = now - c.began
		l.complete(c, now)
	}
}

// complete closes a connection that was made for one request, and makes the next.
func (l *loop) complete(c *conn, now int64) {
	l.count(c, c.took, now)
	if l.r.spec.Close == CloseReset {
		l.reset(c)
	} else {
		closeFD(c.fd)
	}
	c.state = away
	if c.flying {
		l.landed(c)
		l.idle.push(c.index)
		l.pump(now)
	} else if l.phase < ended {
		l.open(c, now, true)
	}
}

// hold leaves a connection alone until it is closed.
func (l *loop) hold(c *conn) {
	c.state = held
	l.held++
	l.watch(c, unix.EPOLLRDHUP)
	l.wasOpened(c)
}

// landed is the end, good or bad, of a request of the schedule.
func (l *loop) landed(c *conn) {
	c.flying = false
	l.flying--
}

// reset closes with a reset, and without TIME_WAIT (socket(7), SO_LINGER).
func (l *loop) reset(c *conn) {
	_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // then it closes with a FIN
	closeFD(c.fd)
}

func (l *loop) watch(c *conn, events uint32) {
	if c.armed == events {
		return
	}
	operation := unix.EPOLL_CTL_MOD
	if c.armed == 0 {
		operation = unix.EPOLL_CTL_ADD
	}
	c.armed = events
	if errno := l.poll.control(operation, c.fd, events, c.index, c.generation); errno != 0 {
		l.failErrno(c, errno)
	}
}

// event handles what epoll told.
func (l *loop) event(e *unix.EpollEvent) {
	if e.Fd == mailIndex {
		_, _ = unix.Read(l.mail, l.scratch[:8])
		return
	}
	c := &l.conns[e.Fd]
	if c.generation != e.Pad || c.state == away {
		return
	}
	broken := e.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0
	switch c.state {
	case connecting:
		l.connected(c)
	case busy:
		if e.Events&unix.EPOLLOUT != 0 && c.toSend > 0 && !broken {
			l.push(c)
		}
		if e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 || broken {
			if c.state == busy {
				l.pull(c, e.Events&unix.EPOLLRDHUP != 0)
			}
			// A FIN that came with the response of a connection that stays is not told again.
			if e.Events&unix.EPOLLRDHUP != 0 && c.generation == e.Pad && c.x.short {
				switch c.state {
				case busy:
					l.pull(c, true)
				case idle:
					l.fail(c, "dropped")
				}
			}
		}
	case closing:
		l.closed(c)
	case idle, held:
		l.fail(c, "dropped")
	}
}

// connected is called when a connect that took a while is done.
func (l *loop) connected(c *conn) {
	code, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = unix.Errno(code)
	}
	if err != nil {
		l.failErrno(c, err)
		return
	}
	spec := &l.r.spec
	switch {
	case spec.Kind == ConnectClose:
		l.established(c)
		now := l.r.now()
		c.took = now - c.began
		l.complete(c, now)
	case c.toSend > 0:
		l.push(c)
	default: // the schedule will have something for it
		l.established(c)
		c.state = idle
		l.watch(c, watchRead)
		l.idle.push(c.index)
		l.pump(l.r.now())
	}
}

// closed is called when a connection whose peer is to close has something to say.
func (l *loop) closed(c *conn) {
	n, errno := receive(c.fd, l.scratch[:64], 0)
	switch {
	case errno == unix.EAGAIN:
	case errno != 0:
		l.failErrno(c, errno)
	case n > 0:
		l.fail(c, "garbled")
	default:
		now := l.r.now()
		if l.r.spec.Kind == ConnectClose {
			l.established(c)
			c.took = now - c.began
		}
		l.complete(c, now)
	}
}

// fail ends a connection, counts why, and has it made again later. Held ones are not made again: how many are left is part of the result.
func (l *loop) fail(c *conn, kind string) {
	if l.phase < ended || c.flying {
		l.errors[kind]++
		if t := l.tick(l.r.now()); t != nil {
			t.Errors++
		}
	}
	if c.state != away {
		closeFD(c.fd)
	}
	switch c.state {
	case held:
		l.held--
	case idle:
		l.removeIdle(c.index)
	}
	c.state = away
	c.toSend, c.toReceive = 0, 0
	if c.flying {
		l.landed(c)
	}
	l.wasOpened(c)
	if !l.r.spec.holds() {
		l.retries.push(retry{c.index, l.r.now() + int64(l.r.spec.RetryAfter)})
	}
}

func (l *loop) removeIdle(index int32) {
	for range l.idle.len() {
		if other := l.idle.pop(); other != index {
			l.idle.push(other)
		}
	}
}

// kinds of errors, by what the kernel says.
var kinds = map[unix.Errno]string{
	unix.ECONNREFUSED: "refused", unix.ECONNRESET: "reset", unix.EPIPE: "reset", unix.EADDRNOTAVAIL: "ports",
	unix.EMFILE: "descriptors", unix.ENFILE: "descriptors", unix.ETIMEDOUT: "timeout",
}

func (l *loop) failErrno(c *conn, err error) {
	var errno unix.Errno
	errors.As(err, &errno)
	kind, known := kinds[errno]
	if !known {
		kind = unix.ErrnoName(errno)
	}
	l.fail(c, kind)
}

// established counts a connection.
func (l *loop) established(c *conn) {
	if l.phase == measuring && !l.r.spec.holds() {
		l.connections++
		if t := l.tick(l.r.now()); t != nil {
			t.Connections++
		}
	}
	if !l.r.spec.holds() {
		l.wasOpened(c)
	}
}

// wasOpened is called when a connection's first opening has come to its end, and may be called again.
func (l *loop) wasOpened(c *conn) {
	if !c.first {
		return
	}
	c.first = false
	l.opening--
	if !l.r.spec.connects() {
		l.r.wasOpened()
	}
}

// count counts a request that was answered after took nanoseconds, if it is the measured time's.
func (l *loop) count(c *conn, took, now int64) {
	if !c.x.counted {
		return
	}
	if c.flying {
		if c.began < l.r.begin.Load() || c.began >= l.r.end.Load() {
			return
		}
	} else if l.phase != measuring {
		return
	}
	l.requests++
	record(l.latency, took)
	l.recordTarget(c, took)
	if t := l.tick(now); t != nil {
		t.Requests++
	}
}

// tick is now's place in the timeline, nil outside of the measured time.
func (l *loop) tick(now int64) *Tick {
	begin := l.r.begin.Load()
	if now < begin {
		return nil
	}
	if i := (now - begin) / int64(tick); i < int64(len(l.timeline)) {
		return &l.timeline[i]
	}
	return nil
}

func (l *loop) sent(c *conn, n int) {
	if l.phase == measuring {
		l.bytesOut += uint64(n)
		if c.x.stream {
			l.bulkOut += uint64(n)
		}
	}
}

func (l *loop) received(c *conn, n int) {
	if l.phase == measuring {
		l.bytesIn += uint64(n)
		if c.x.stream {
			l.bulkIn += uint64(n)
		}
	}
}
