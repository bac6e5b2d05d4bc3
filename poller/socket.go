package poller

import "golang.org/x/sys/unix"

// Socket is a nonblocking stream socket. It is embedded in what owns it and used through its loop. The zero Socket is
// closed (no stream socket ever has descriptor 0 here: NewSocket moves it away).
type Socket struct {
	fd   int32
	slot int32 // in the loop's table; 0 while it is not watched
}

// Open reports whether s has a descriptor.
func (s *Socket) Open() bool { return s.fd > 0 }

// FD is the descriptor, for listings.
func (s *Socket) FD() int { return int(s.fd) }

// Recv reads at most len(b) bytes. Zero bytes without an error are the end. A count below len(b) means that the socket
// was drained: the next event will tell of more, unless PeerClosed was seen.
func (s *Socket) Recv(b []byte) (int, Errno) { return recv(s.fd, b) }

// Send writes what the kernel takes of b, which may be less than all.
func (s *Socket) Send(b []byte) (int, Errno) { return send(s.fd, b, 0) }

// SendMore is Send for bytes behind which more will be sent, or the end, at once: the kernel may hold the last of them back
// until then, or for 200 ms (MSG_MORE, send(2)).
func (s *Socket) SendMore(b []byte) (int, Errno) { return send(s.fd, b, unix.MSG_MORE) }

// Peek is Recv that leaves the bytes in the socket.
func (s *Socket) Peek(b []byte) (int, Errno) { return peek(s.fd, b) }

// CloseWrite sends a FIN: the peer will read the end after what was sent (shutdown(2)).
func (s *Socket) CloseWrite() Errno { return shutdownWrite(s.fd) }

// Abort makes the coming close send a RST, drop what was not sent and leave no TIME_WAIT (SO_LINGER of zero, tcp(7)).
func (s *Socket) Abort() Errno { return setLinger(s.fd, true) }

// Failure takes the pending error of the socket (SO_ERROR); zero if there is none.
func (s *Socket) Failure() Errno {
	v, e := getInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if e != 0 {
		return e
	}
	return Errno(v)
}

// NoDelay switches Nagle's algorithm off (tcp(7)).
func (s *Socket) NoDelay() Errno { return setInt(s.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) }

// QuickAck with false holds the next pure ACK back so that it can ride on the answer (tcp(7)).
func (s *Socket) QuickAck(on bool) Errno {
	v := 0
	if on {
		v = 1
	}
	return setInt(s.fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, v)
}

// LocalAddr asks the kernel for the socket's own address; the zero Addr if it has none.
func (l *Loop) LocalAddr(s *Socket) Addr { return l.name(unix.SYS_GETSOCKNAME, s.fd) }

func (l *Loop) name(trap uintptr, fd int32) Addr {
	length, e := name(trap, fd, &l.raw)
	if e != 0 {
		return Addr{}
	}
	return decode(&l.raw, length)
}
