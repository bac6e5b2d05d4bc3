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

// lean accepts and closes, or serves finite requests, one at a time on a connection, with as few instructions as that takes: one thread, one epoll set,
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
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.poll), uintptr(unsafe.Pointer(&l.events[0])), uintptr(len(l.events)), uintptr(waitFor.Milliseconds()), 0, 0)
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
		if l.spec.Kind == AcceptClose {
			l.byAddress[address].Add(1)
			l.close(fd)
			continue
		}
		if l.receive(fd) && !l.sessions[fd].watched {
			l.watch(fd, leanRead)
		}
	}
}
