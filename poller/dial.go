package poller

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is a stream connection for goroutines, made with the same options as those of the loops. Its waits are the Go
// runtime's, and it is registered there only when there is something to wait for: a connect and close over a fast path
// costs four system calls and no more. It is a net.Conn.
//
// One goroutine may read while another writes; Connect and Close must be alone. Interrupt may be called by any goroutine. The zero Conn is
// ready for Connect, and is so again after Close, but for an interruption, which holds until Reset.
type Conn struct {
	// OnWait, if not nil, is called before each wait, by the goroutine that waits.
	OnWait func()
	// In, if not nil, makes the sockets.
	In Sockets

	fd       int32 // 0: closed
	raw      sockaddr
	remote   Addr
	deadline time.Time

	mu          sync.Mutex // guards what is below, for Interrupt
	file        *os.File   // owns the descriptor once the runtime watches it; nil until then
	control     syscall.RawConn
	interrupted bool
}

var _ net.Conn = (*Conn)(nil)

// ErrInterrupted is the error of what waits, or would have to wait, on an interrupted connection.
var ErrInterrupted = errors.New("connection interrupted")

// SocketsError is that Conn.In has made no socket.
type SocketsError struct{ Err error }

func (e *SocketsError) Error() string { return e.Err.Error() }
func (e *SocketsError) Unwrap() error { return e.Err }

// Dial is Connect for those who want a net.Conn: it ends with ctx. An error holds the Errno, if the kernel gave one.
func Dial(ctx context.Context, addr, source Addr, o *ConnectOptions) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := new(Conn)
	deadline, _ := ctx.Deadline()
	stop := context.AfterFunc(ctx, c.Interrupt)
	err := c.Connect(addr, source, o, deadline)
	if !stop() && ctx.Err() != nil {
		c.Close()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Time{})
	return c, nil
}

// Connect opens a connection to addr from source (the zero Addr: the kernel chooses) and waits until it stands, until the
// deadline (the zero Time: for ever), or until Interrupt. The deadline then holds for reads and writes too, until
// SetDeadline. Errors are os.SyscallErrors with their Errno, os.ErrDeadlineExceeded, ErrInterrupted, or a SocketsError; the
// Conn is then closed.
func (c *Conn) Connect(addr, source Addr, o *ConnectOptions, deadline time.Time) error {
	tries := 1
	if o.Ports != nil {
		tries = min(portTries, int(o.Ports.count))
	}
	c.remote, c.deadline = addr, deadline
	for {
		if o.Ports != nil {
			source = IP(netip.AddrPortFrom(source.Addr(), o.Ports.port()))
		}
		if c.In != nil {
			fd, err := c.In.Make(addr.family())
			if err != nil {
				return &SocketsError{err}
			}
			c.fd = int32(fd)
		}
		call, e := c.begin(addr, source, o)
		switch {
		case e == 0:
			return nil
		case e == EINPROGRESS:
			return c.finish()
		}
		c.Close()
		if tries--; tries == 0 || e != EADDRNOTAVAIL && e != EADDRINUSE {
			return os.NewSyscallError(call, e)
		}
	}
}

// begin makes the socket, unless In has made it, and calls connect once.
func (c *Conn) begin(addr, source Addr, o *ConnectOptions) (string, Errno) {
	family := addr.family()
	if c.In == nil {
		n, e := newSocket(family, unix.SOCK_STREAM, 0)
		if e != 0 {
			return "socket", e
		}
		c.fd = int32(n)
	}
	if e := prepareConnect(c.fd, family, &addr, source, o, &c.raw); e != 0 {
		return "setsockopt", e
	}
	length, e := addr.encode(&c.raw)
	if e != 0 {
		return "connect", e
	}
	return "connect", connect(c.fd, &c.raw, length)
}

// finish waits for a connect that has begun. A second connect(2) tells how it went: towards this machine it is over
// already, and there is nothing to wait for.
func (c *Conn) finish() error {
	length, _ := c.remote.encode(&c.raw)
	ended := connect(c.fd, &c.raw, length)
	var err error
	if underway(ended) {
		ended, err = c.await(length)
	}
	if err == nil && ended != 0 && ended != syscall.EISCONN {
		err = os.NewSyscallError("connect", ended)
	}
	if err != nil {
		c.Close()
	}
	return err
}

func (c *Conn) await(length uint32) (ended Errno, err error) {
	err = c.wait(false, func(fd uintptr) bool {
		ended = connect(int32(fd), &c.raw, length)
		return !underway(ended)
	})
	return ended, err
}

func underway(e Errno) bool { return e == syscall.EALREADY || e == EINPROGRESS }

// wait calls try each time the socket may be ready, until it returns true. Callers have tried once before: what does not
// have to wait costs nothing of this.
func (c *Conn) wait(reading bool, try func(fd uintptr) bool) error {
	if err := c.watch(); err != nil {
		return err
	}
	if c.OnWait != nil {
		c.OnWait()
	}
	var err error
	if reading {
		err = c.control.Read(try)
	} else {
		err = c.control.Write(try)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && c.wasInterrupted() {
		return ErrInterrupted
	}
	return err
}

// past is a deadline that makes every wait end at once.
var past = time.Unix(1, 0)

// watch hands the descriptor to the runtime's poller, if that was not done before, and sets its deadline.
func (c *Conn) watch() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted {
		return ErrInterrupted
	}
	if c.file == nil {
		c.file = os.NewFile(uintptr(c.fd), "socket")
		control, err := c.file.SyscallConn()
		if err != nil {
			return err
		}
		c.control = control
	}
	return c.file.SetDeadline(c.deadline)
}

// Interrupt ends what waits on the connection, and whatever would wait on it or on a later one, until Reset. Any goroutine
// may call it.
func (c *Conn) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = true
	if c.file != nil {
		c.file.SetDeadline(past)
	}
}

func (c *Conn) wasInterrupted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.interrupted
}

// Read reads what is there, or waits for it. The end is io.EOF.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if c.fd == 0 {
		return 0, net.ErrClosed
	}
	n, e := recv(c.fd, b)
	if e == EAGAIN {
		var err error
		if n, e, err = c.awaitBytes(b); err != nil {
			return 0, err
		}
	}
	switch {
	case e != 0:
		return 0, os.NewSyscallError("recv", e)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (c *Conn) awaitBytes(b []byte) (n int, e Errno, err error) {
	err = c.wait(true, func(fd uintptr) bool {
		n, e = recv(int32(fd), b)
		return e != EAGAIN
	})
	return n, e, err
}

// Write sends all of b, waiting where the kernel takes no more.
func (c *Conn) Write(b []byte) (int, error) {
	if c.fd == 0 {
		return 0, net.ErrClosed
	}
	sent := 0
	for sent < len(b) {
		n, e := send(c.fd, b[sent:], 0)
		if e == EAGAIN {
			var err error
			if n, e, err = c.awaitRoom(b[sent:]); err != nil {
				return sent, err
			}
		}
		if e != 0 {
			return sent, os.NewSyscallError("send", e)
		}
		sent += n
	}
	return sent, nil
}

func (c *Conn) awaitRoom(b []byte) (n int, e Errno, err error) {
	err = c.wait(false, func(fd uintptr) bool {
		n, e = send(int32(fd), b, 0)
		return e != EAGAIN
	})
	return n, e, err
}

// Abort makes the coming Close send a RST and leave no TIME_WAIT, as Socket.Abort does.
func (c *Conn) Abort() Errno { return setLinger(c.fd, true) }

// CloseWrite sends a FIN: the peer will read the end after what was sent (shutdown(2)).
func (c *Conn) CloseWrite() Errno { return shutdownWrite(c.fd) }

// Close closes the connection, if it is open.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file != nil {
		c.file.Close()
	} else if c.fd > 0 {
		closeFD(c.fd)
	}
	c.fd, c.file, c.control = 0, nil, nil
	return nil
}

// Reset closes the connection, if it is open, and forgets an interruption.
func (c *Conn) Reset() {
	c.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupted = false
}

// Open reports whether there is a connection, or one that is being made.
func (c *Conn) Open() bool { return c.fd > 0 }

// Local is the socket's own address; the zero Addr if it has none.
func (c *Conn) Local() Addr {
	length, e := name(unix.SYS_GETSOCKNAME, c.fd, &c.raw)
	if e != 0 {
		return Addr{}
	}
	return decode(&c.raw, length)
}

// SetDeadline sets when reads and writes give up; the zero Time: never.
func (c *Conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	if c.file != nil && !c.interrupted {
		return c.file.SetDeadline(t)
	}
	return nil
}

// SetReadDeadline is SetDeadline: there is one for both directions.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.SetDeadline(t) }

// SetWriteDeadline is SetDeadline: there is one for both directions.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.SetDeadline(t) }

// LocalAddr is the socket's own address.
func (c *Conn) LocalAddr() net.Addr { return netAddr(c.Local()) }

// RemoteAddr is the address that was connected to.
func (c *Conn) RemoteAddr() net.Addr { return netAddr(c.remote) }

func netAddr(a Addr) net.Addr {
	if a.IsUnix() {
		return &net.UnixAddr{Name: a.Path, Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(a.AddrPort)
}
