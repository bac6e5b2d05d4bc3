//go:build linux

package origin

import (
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// listener is netpoll's kind of a listener. Its own (netpoll.ConvertListener) closes the descriptor twice, the second time perhaps somebody
// else's, and looks up every peer's address.
type listener struct {
	*net.TCPListener
	raw syscall.RawConn
	fd  int // watched by netpoll, until Close
}

func newListener(plain *net.TCPListener) (*listener, error) {
	l := &listener{TCPListener: plain}
	var err error
	if l.raw, err = plain.SyscallConn(); err != nil {
		return nil, err
	}
	var failed error
	err = l.raw.Control(func(fd uintptr) {
		l.fd = int(fd)
		// Accepted sockets inherit it.
		failed = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_TCP, unix.TCP_NODELAY, 1))
	})
	if err == nil {
		err = failed
	}
	return l, err
}

func (l *listener) Fd() int { return l.fd }

// Accept gives neither a connection nor an error if there is none.
func (l *listener) Accept() (connection net.Conn, err error) {
	var fd int
	if closed := l.raw.Control(func(listening uintptr) {
		fd, _, err = unix.Accept4(int(listening), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	}); closed != nil {
		return nil, closed
	}
	switch err {
	case nil:
		return accepted{fd: fd, local: l.Addr()}, nil
	case unix.EAGAIN, unix.EINTR, unix.ECONNABORTED:
		return nil, nil
	default:
		return nil, err // an errno: netpoll pauses when descriptors have run out
	}
}

// accepted carries a descriptor to netpoll, which makes its own connection of it.
type accepted struct {
	net.Conn // nil: netpoll calls the three below only
	fd       int
	local    net.Addr
}

func (a accepted) Fd() int              { return a.fd }
func (a accepted) LocalAddr() net.Addr  { return a.local }
func (a accepted) RemoteAddr() net.Addr { return a.local }
