package poller

import (
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ListenOptions say how a listening socket is made.
type ListenOptions struct {
	SocketOptions
	Backlog     int         // pending connections; 0: the most that the system allows
	ReusePort   bool        // SO_REUSEPORT: the kernel spreads connections over all sockets on the address
	V6Only      bool        // IPV6_V6ONLY on
	V4V6        bool        // IPV6_V6ONLY off: IPv4 clients are accepted too
	DeferAccept bool        // TCP_DEFER_ACCEPT: accept once there is data
	FastOpen    bool        // TCP_FASTOPEN
	Mode        fs.FileMode // permissions of a unix socket; 0: as the umask leaves them
	UID, GID    int         // owner of a unix socket; -1: the process's
}

// Listener is a listening socket. Each loop that accepts from it watches it on its own.
type Listener struct {
	fd        int32
	addr      Addr
	backlog   int
	suspended bool // see Suspend; guarded by mu
	mu        sync.Mutex
	shared    bool // several loops may watch it: the kernel wakes only one (EPOLLEXCLUSIVE)
	users     atomic.Int32
}

// Listen makes a listening socket on addr. A unix socket replaces an old socket of its name only when it is ready, so that
// no client finds it missing. The error names the call that failed.
func Listen(addr Addr, o ListenOptions) (*Listener, error) {
	family := addr.family()
	fd, e := newSocket(family, unix.SOCK_STREAM, 0)
	if e != 0 {
		return nil, callError("socket", e)
	}
	ln := &Listener{fd: int32(fd), addr: addr, backlog: o.backlog(), shared: family == unix.AF_UNIX || !o.ReusePort}
	if err := ln.prepare(addr, family, &o); err != nil {
		closeFD(ln.fd)
		return nil, err
	}
	var raw sockaddr
	if length, e := name(unix.SYS_GETSOCKNAME, ln.fd, &raw); e == 0 && family != unix.AF_UNIX {
		ln.addr = decode(&raw, length) // port 0 has become a real one
	}
	return ln, nil
}

func (ln *Listener) prepare(addr Addr, family int, o *ListenOptions) error {
	if family == unix.AF_UNIX {
		if call, e := o.apply(ln.fd, family, nil); e != 0 {
			return callError(call, e)
		}
		return ln.bindUnix(addr, o)
	}
	if e := setInt(ln.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); e != 0 {
		return callError("setsockopt SO_REUSEADDR", e)
	}
	// What is accepted inherits these, so that they cost nothing per flow (tcp(7), inet_csk_clone_lock).
	for _, x := range [...]struct {
		wanted               bool
		level, option, value int
		call                 string
	}{
		{o.ReusePort, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "setsockopt SO_REUSEPORT"},
		{true, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, "setsockopt TCP_NODELAY"},
		{o.V6Only && family == unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1, "setsockopt IPV6_V6ONLY"},
		{o.V4V6 && family == unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0, "setsockopt IPV6_V6ONLY"},
		{o.DeferAccept, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1, "setsockopt TCP_DEFER_ACCEPT"},
		{o.FastOpen, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, o.backlog(), "setsockopt TCP_FASTOPEN"},
	} {
		if !x.wanted {
			continue
		}
		if e := setInt(ln.fd, x.level, x.option, x.value); e != 0 {
			return callError(x.call, e)
		}
	}
	if call, e := o.apply(ln.fd, family, nil); e != 0 {
		return callError(call, e)
	}
	if err := ln.bind(addr); err != nil {
		return err
	}
	return os.NewSyscallError("listen", unix.Listen(int(ln.fd), o.backlog()))
}

func (ln *Listener) bind(addr Addr) error {
	var raw sockaddr
	length, e := addr.encode(&raw)
	if e == 0 {
		e = bind(ln.fd, &raw, length)
	}
	return callError("bind", e)
}

// bindUnix binds under another name, sets owner and permissions, listens, and only then takes the real name.
func (ln *Listener) bindUnix(addr Addr, o *ListenOptions) error {
	if addr.Path[0] == '@' {
		if err := ln.bind(addr); err != nil {
			return err
		}
		return os.NewSyscallError("listen", unix.Listen(int(ln.fd), o.backlog()))
	}
	if info, err := os.Lstat(addr.Path); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s exists and is not a socket", addr.Path)
	}
	temporary := fmt.Sprintf("%s.%d.tmp", addr.Path, os.Getpid())
	if err := ln.bind(Addr{Path: temporary}); err != nil {
		return err
	}
	err := func() error {
		if o.UID >= 0 || o.GID >= 0 {
			if err := os.Chown(temporary, o.UID, o.GID); err != nil {
				return err
			}
		}
		if o.Mode != 0 {
			if err := os.Chmod(temporary, o.Mode); err != nil {
				return err
			}
		}
		if err := unix.Listen(int(ln.fd), o.backlog()); err != nil {
			return os.NewSyscallError("listen", err)
		}
		return os.Rename(temporary, addr.Path)
	}()
	if err != nil {
		os.Remove(temporary)
	}
	return err
}

func (o *ListenOptions) backlog() int {
	if o.Backlog > 0 {
		return o.Backlog
	}
	return 1 << 16 // the kernel cuts it to net.core.somaxconn
}

// Adopt takes over a listening stream socket that the process inherited, as it is. Its options are not touched but for
// O_NONBLOCK, which the loops need. The descriptor is duplicated, so that several proxies can adopt the same one.
func Adopt(fd int) (*Listener, error) {
	listening, e := getInt(int32(fd), unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if e != 0 {
		return nil, fmt.Errorf("descriptor %d: %w", fd, callError("getsockopt SO_ACCEPTCONN", e))
	}
	if listening == 0 {
		return nil, fmt.Errorf("descriptor %d is not a listening socket", fd)
	}
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, os.NewSyscallError("fcntl F_DUPFD_CLOEXEC", err)
	}
	if err := unix.SetNonblock(copied, true); err != nil {
		unix.Close(copied)
		return nil, os.NewSyscallError("fcntl O_NONBLOCK", err)
	}
	var raw sockaddr
	ln := &Listener{fd: int32(copied), shared: true, backlog: (&ListenOptions{}).backlog()}
	if length, e := name(unix.SYS_GETSOCKNAME, ln.fd, &raw); e == 0 {
		ln.addr = decode(&raw, length)
	}
	return ln, nil
}

// Addr is the address on which the socket listens.
func (ln *Listener) Addr() Addr { return ln.addr }

// Shares tells whether other sockets may listen on the same address, among which the kernel chooses.
func (ln *Listener) Shares() bool { return !ln.shared }

// FD is the descriptor, for listings and for handing it on.
func (ln *Listener) FD() int { return int(ln.fd) }

// Close closes the socket. Loops must not watch it any more. A unix socket's name stays: by now it may be another's. Closing
// it again does nothing.
func (ln *Listener) Close() {
	if ln.fd >= 0 {
		closeFD(ln.fd)
		ln.fd = -1
	}
}

// Suspend makes the kernel refuse connections, and free the port for another process, until Listen: shutdown(2) takes a TCP
// socket out of the state LISTEN, and what waits in its backlog is reset. A unix socket stays as it is: clients wait in its
// backlog. Doing it again does nothing. A port that the kernel chose may be another
// one afterwards. No loop may watch the listener then, and no one may close it meanwhile.
func (ln *Listener) Suspend() error {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if ln.suspended || ln.addr.IsUnix() {
		return nil
	}
	if err := unix.Shutdown(int(ln.fd), unix.SHUT_RDWR); err != nil && err != unix.ENOTCONN {
		return os.NewSyscallError("shutdown", err)
	}
	ln.suspended = true
	return nil
}

// Listen ends a suspension. It fails if another process has taken the port without leave to share it.
func (ln *Listener) Listen() error {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	if !ln.suspended {
		return nil
	}
	if err := unix.Listen(int(ln.fd), ln.backlog); err != nil {
		return os.NewSyscallError("listen", err)
	}
	ln.suspended = false
	return nil
}

// Join counts one who will use the listener, before the loops run.
func (ln *Listener) Join() { ln.users.Add(1) }

// Leave is the end of a use. The last one closes the listener, on its own thread: so that as little time as possible passes
// between its last accept and the close, in which the kernel might queue a connection only to reset it.
func (ln *Listener) Leave() {
	if ln.users.Add(-1) == 0 {
		ln.Close()
	}
}

// Acceptor is one loop's watch on a listener.
type Acceptor struct {
	socket   Socket // shares the listener's descriptor
	listener *Listener
	handler  Handler
}

// Accepting starts to watch ln: h is told, level-triggered, whenever a connection waits. Several loops may watch the same
// listener.
func (l *Loop) Accepting(ln *Listener, h Handler) (*Acceptor, error) {
	a := &Acceptor{listener: ln, handler: h}
	return a, callError("epoll_ctl", l.Resume(a))
}

// Pause stops the watch: connections wait in the kernel's backlog.
func (l *Loop) Pause(a *Acceptor) {
	if a.socket.slot == 0 {
		return
	}
	epollControl(l.epoll, unix.EPOLL_CTL_DEL, a.socket.fd, &unix.EpollEvent{})
	l.release(a.socket.slot)
	a.socket = Socket{}
}

// Resume starts the watch again after Pause.
func (l *Loop) Resume(a *Acceptor) Errno {
	if a.socket.slot != 0 {
		return 0
	}
	a.socket.fd = a.listener.fd
	events := uint32(unix.EPOLLIN)
	if a.listener.shared {
		events |= unix.EPOLLEXCLUSIVE
	}
	e := l.watch(&a.socket, a.handler, events)
	if e != 0 {
		a.socket = Socket{}
	}
	return e
}

// Accept takes one waiting connection into s and gives the peer's address. EAGAIN: none is waiting. An error for which
// Exhausted holds means that it stays in the backlog. Errors of the connection itself (accept(2)) come as ECONNABORTED.
func (l *Loop) Accept(a *Acceptor, s *Socket) (Addr, Errno) {
	l.rawSize = unix.SizeofSockaddrAny
	fd, e := accept4(a.socket.fd, &l.raw, &l.rawSize, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	switch e {
	case 0:
		*s = Socket{fd: int32(fd)}
		return decode(&l.raw, l.rawSize), 0
	case unix.ENETDOWN, unix.EPROTO, unix.ENOPROTOOPT, unix.EHOSTDOWN, unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP,
		unix.ENETUNREACH, unix.EPERM, unix.EINTR: // pending network errors of the new socket: the next may be well
		return Addr{}, ECONNABORTED
	}
	return Addr{}, e
}
