//go:build linux

package origin

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/bench/frame"
	"github.com/sluice-lb/sluice/bench/places"
)

// lean serves finite requests, one at a time on a connection, with as few instructions as that takes: one thread, one epoll set,
// and for a small request one recv and one send. Its thread alone touches it while it runs.
type lean struct {
	*server
	poll     int
	mail     int // an eventfd: the end
	sessions []leanSession
	sockets  []int // listening; number i is in events as -1-i
	scratch  []byte
	answer   []byte
	events   [256]unix.EpollEvent
	timeout  unix.Timespec
	stalled  bool

	connections, requests, bytesIn, bytesOut, errors uint64

	openAt []int // connections, by address
}

// leanSession is a connection, by its descriptor.
type leanSession struct {
	open, watched, closing bool
	have                   uint8 // bytes of the header
	header                 [frame.Header]byte
	address                int32
	body, owed             int64 // bytes of the request still to come, of the response still to go
}

const mailEvent = -1 << 31

// serveLean serves the listeners until stop is called.
func (s *server) serveLean(listeners []net.Listener) (stop func(), err error) {
	l := &lean{server: s, openAt: make([]int, len(listeners)), scratch: make([]byte, 64<<10), answer: make([]byte, 64<<10)}
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("origin: %w", os.NewSyscallError("epoll_create1", err))
	}
	if l.mail, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		unix.Close(l.poll)
		return nil, fmt.Errorf("origin: %w", os.NewSyscallError("eventfd", err))
	}
	errno := l.control(unix.EPOLL_CTL_ADD, l.mail, unix.EPOLLIN, mailEvent)
	var files []*os.File
	for i, plain := range listeners {
		// A descriptor of its own: net's is watched by Go's runtime besides, which would be woken for each connection.
		file, err := plain.(*net.TCPListener).File()
		plain.Close()
		if err != nil {
			return nil, fmt.Errorf("origin: %w", err)
		}
		files = append(files, file)
		fd := int(file.Fd())
		l.sockets = append(l.sockets, fd)
		err = unix.SetNonblock(fd, true)
		if err == nil { // accepted sockets inherit it
			err = unix.SetsockoptInt(fd, unix.SOL_TCP, unix.TCP_NODELAY, 1)
		}
		if err != nil {
			return nil, fmt.Errorf("origin: %w", err)
		}
		if e := l.control(unix.EPOLL_CTL_ADD, fd, unix.EPOLLIN, int32(-1-i)); e != 0 {
			errno = e
		}
	}
	if errno != 0 {
		return nil, fmt.Errorf("origin: %w", os.NewSyscallError("epoll_ctl", errno))
	}
	release := places.Hold(1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.run()
	}()
	return func() {
		_, _ = unix.Write(l.mail, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		<-ended
		release()
		for fd := range l.sessions {
			if l.sessions[fd].open {
				unix.Close(fd)
			}
		}
		for _, file := range files {
			file.Close()
		}
		unix.Close(l.mail)
		unix.Close(l.poll)
		s.connections.Add(l.connections)
		s.requests.Add(l.requests)
		s.bytesIn.Add(l.bytesIn)
		s.bytesOut.Add(l.bytesOut)
		s.errors.Add(l.errors)
		if l.requests > 0 {
			s.mostAtOnce.Store(1)
		}
	}, nil
}

// waitFor bounds a wait: the thread keeps its place in Go's scheduler meanwhile, and is not to be away from it for long.
const waitFor = 100 * time.Millisecond

func (l *lean) run() {
	runtime.LockOSThread() // and ends with it
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	for {
		n := l.wait()
		for i := range l.events[:n] {
			event := &l.events[i]
			switch {
			case event.Fd == mailEvent:
				return
			case event.Fd < 0:
				l.accept(int(-1 - event.Fd))
			default:
				l.serve(int(event.Fd), event.Events)
			}
		}
	}
}

// wait gives the number of events. It is a function of its own and not inlined, since a call is where Go stops a goroutine, for a garbage
// collection above all: a loop of raw system calls alone could not be stopped.
//
//go:noinline
func (l *lean) wait() int {
	// Not told to Go's scheduler (package places).
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_WAIT, uintptr(l.poll), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), uintptr(waitFor.Milliseconds()), 0, 0)
	if errno != 0 { // a signal: there is no other failure here
		return 0
	}
	return int(n)
}

func (l *lean) control(operation, fd int, events uint32, data int32) unix.Errno {
	event := unix.EpollEvent{Events: events, Fd: data}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(l.poll), uintptr(operation), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	return errno
}

const (
	leanRead  = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET
	leanWrite = leanRead | unix.EPOLLOUT
)

// accept takes what waits. If a request has come with the connection and it is the only one, epoll never hears of it.
func (l *lean) accept(address int) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(l.sockets[address]), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		switch errno {
		case 0:
		case unix.EINTR, unix.ECONNABORTED:
			continue
		default: // nobody is left, or no descriptor, and a connection has to end first
			if errno != unix.EAGAIN {
				l.errors++
			}
			return
		}
		fd := int(n)
		for fd >= len(l.sessions) {
			l.sessions = append(l.sessions, leanSession{})
		}
		l.sessions[fd] = leanSession{open: true, address: int32(address)}
		l.connections++
		if l.openAt[address]++; l.spec.MaxConn > 0 && l.openAt[address] > l.spec.MaxConn {
			l.overLimit++
		}
		if l.receive(fd) && !l.sessions[fd].watched {
			l.watch(fd, leanRead)
		}
	}
}

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
