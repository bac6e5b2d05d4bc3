package poller

import (
	"net/netip"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ConnectOptions say how connections to one server are made. They are shared by all loops and only read.
type ConnectOptions struct {
	SocketOptions
	FastOpen bool       // TCP_FASTOPEN_CONNECT: the connect waits for the first bytes
	Ports    *PortRange // source ports to choose from; nil: the kernel chooses
}

// Sockets makes stream sockets somewhere else than in this process's network namespace.
type Sockets interface {
	// Take gives one that was made beforehand, nonblocking and close-on-exec, and never waits. EAGAIN: there is none now.
	Take(family int) (fd int, e Errno)
	// Make gives one, and may wait for another thread to make it.
	Make(family int) (fd int, err error)
}

// SocketAwaited is no error of the kernel's: the Sockets have none for now, and connecting is to be tried again.
const SocketAwaited Errno = 1 << 16

// PortRange hands out the source ports of a range in turn, to all loops.
type PortRange struct {
	low, count uint32
	next       atomic.Uint32
}

// NewPortRange covers low to high, both included.
func NewPortRange(low, high uint16) *PortRange {
	return &PortRange{low: uint32(low), count: uint32(high) - uint32(low) + 1}
}

func (r *PortRange) port() uint16 { return uint16(r.low + (r.next.Add(1)-1)%r.count) }

// portTries bounds how many ports of a range one connect tries: a connection must not cost a walk through 60,000.
const portTries = 64

// Connect begins a connection to addr from source (the zero Addr: the kernel chooses) and puts it in s. Zero or
// EINPROGRESS: it has begun, and s reports Writable when it stands, Failed when it does not. Any other error: there is no
// socket. With EADDRNOTAVAIL or EADDRINUSE no source port was free.
func (l *Loop) Connect(s *Socket, addr, source Addr, o *ConnectOptions) Errno {
	return l.ConnectIn(nil, s, addr, source, o)
}

// ConnectIn is Connect with a socket of others; nil: with one of this process. SocketAwaited: in has none. An error of in's is
// returned.
func (l *Loop) ConnectIn(in Sockets, s *Socket, addr, source Addr, o *ConnectOptions) Errno {
	tries := 1
	failed := SocketAwaited
	if o.Ports != nil {
		tries = min(portTries, int(o.Ports.count))
	}
	for {
		if o.Ports != nil {
			source = IP(netip.AddrPortFrom(source.Addr(), o.Ports.port()))
		}
		e := l.connect(in, s, addr, source, o)
		if e == SocketAwaited { // each port that is not free takes a socket: that it was not free is the answer then
			return failed
		}
		if tries--; tries == 0 || e != EADDRNOTAVAIL && e != EADDRINUSE {
			return e
		}
		failed = e
	}
}

func (l *Loop) connect(in Sockets, s *Socket, addr, source Addr, o *ConnectOptions) Errno {
	family := addr.family()
	var n int
	var e Errno
	if in == nil {
		n, e = newSocket(family, unix.SOCK_STREAM, 0)
	} else if n, e = in.Take(family); e == EAGAIN { // which connect(2) has another meaning for
		e = SocketAwaited
	}
	if e != 0 {
		return e
	}
	fd := int32(n)
	e = prepareConnect(fd, family, &addr, source, o, &l.raw)
	if e == 0 {
		var length uint32
		if length, e = addr.encode(&l.raw); e == 0 {
			e = connect(fd, &l.raw, length)
		}
	}
	if e != 0 && e != EINPROGRESS {
		closeFD(fd)
		return e
	}
	*s = Socket{fd: fd}
	return e
}

// prepareConnect sets what must be set before connect. raw is room for an address.
func prepareConnect(fd int32, family int, addr *Addr, source Addr, o *ConnectOptions, raw *sockaddr) Errno {
	if !o.plain() {
		if _, e := o.apply(fd, family, addr); e != 0 {
			return e
		}
	}
	if o.FastOpen && family != unix.AF_UNIX {
		if e := setInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1); e != 0 {
			return e
		}
	}
	if !source.IsValid() || family == unix.AF_UNIX {
		return 0
	}
	if source.Port() == 0 {
		// The port is chosen at connect, so that it need only be free towards this peer (ip(7)).
		setInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}
	if e := setInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); e != 0 {
		return e
	}
	length, e := source.encode(raw)
	if e != 0 {
		return e
	}
	return bind(fd, raw, length)
}
