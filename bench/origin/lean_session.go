//go:build linux

package origin

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/bench/frame"
)

// serve handles what epoll told of a connection.
func (l *lean) serve(fd int, events uint32) {
	c := &l.sessions[fd]
	if !c.open {
		return // closed since; a descriptor is not used again before the next wait, unless accept gave it out: then it just looks
	}
	if c.owed > 0 {
		if !l.send(fd) || c.owed > 0 || !l.watch(fd, leanRead) {
			return
		}
	}
	if l.receive(fd) && events&unix.EPOLLRDHUP != 0 && c.owed == 0 {
		l.receive(fd) // the FIN: it is not told again
	}
}

// receive takes what is there, and answers. It gives false when the connection has been closed.
func (l *lean) receive(fd int) bool {
	c := &l.sessions[fd]
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&l.scratch[0])), uintptr(len(l.scratch)), 0, 0, 0)
		switch {
		case errno == unix.EAGAIN:
			return true
		case errno != 0, n == 0:
			l.close(fd)
			return false
		}
		l.bytesIn += uint64(n)
		if !l.take(fd, c, l.scratch[:n]) {
			return false
		}
		if int(n) < len(l.scratch) { // a short read has emptied the socket
			return true
		}
	}
}

// take goes through a piece of a request.
func (l *lean) take(fd int, c *leanSession, b []byte) bool {
	for len(b) > 0 {
		if c.owed > 0 { // a second request before the first one's response has gone
			return l.wrong(fd)
		}
		if c.have < frame.Header {
			n := copy(c.header[c.have:], b)
			c.have += uint8(n)
			b = b[n:]
			if c.have < frame.Header {
				return true
			}
			request, response, _, right := frame.Parse(c.header[:])
			if !right || request == frame.Endless || response == frame.Endless {
				return l.wrong(fd)
			}
			c.body = int64(request) - frame.Header
		}
		n := min(c.body, int64(len(b)))
		c.body -= n
		b = b[n:]
		if c.body == 0 {
			c.have = 0
			if !l.respond(fd, c) {
				return false
			}
		}
	}
	return true
}

func (l *lean) wrong(fd int) bool {
	l.errors++
	l.close(fd)
	return false
}

func (l *lean) respond(fd int, c *leanSession) bool {
	l.stall()
	l.requests++
	l.byAddress[c.address].Add(1)
	_, response, closing, _ := frame.Parse(c.header[:])
	c.closing, c.owed = closing, int64(response)
	return l.send(fd)
}

// send sends what is owed, or what of it the kernel takes. It gives false when the connection has been closed.
func (l *lean) send(fd int) bool {
	c := &l.sessions[fd]
	_, whole, _, _ := frame.Parse(c.header[:])
	for c.owed > 0 {
		out := l.answer
		if c.owed < int64(len(out)) {
			out = out[:c.owed]
		}
		clear(out[:min(4, len(out))])
		if c.owed == int64(whole) && whole >= 4 {
			copy(out, c.header[4:])
		}
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&out[0])), uintptr(len(out)), unix.MSG_NOSIGNAL, 0, 0)
		if errno == unix.EAGAIN {
			return l.watch(fd, leanWrite)
		}
		if errno != 0 {
			l.close(fd)
			return false
		}
		l.bytesOut += uint64(n)
		c.owed -= int64(n)
	}
	if c.closing {
		l.close(fd)
		return false
	}
	return true
}

// watch says what epoll is to tell. It gives false when that failed, and the connection has been closed.
func (l *lean) watch(fd int, events uint32) bool {
	c := &l.sessions[fd]
	operation := unix.EPOLL_CTL_ADD
	if c.watched {
		operation = unix.EPOLL_CTL_MOD
	}
	c.watched = true
	if errno := l.control(operation, fd, events, int32(fd)); errno != 0 {
		return l.wrong(fd)
	}
	return true
}

func (l *lean) close(fd int) {
	l.sessions[fd].open = false
	l.openAt[l.sessions[fd].address]--
	unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// stall is Spec.StallFor: it holds up everything.
func (l *lean) stall() {
	if l.spec.StallFor > 0 && !l.stalled {
		if since := time.Since(l.started); since >= l.spec.StallAfter {
			l.stalled = true
			time.Sleep(l.spec.StallAfter + l.spec.StallFor - since)
		}
	}
}
