package harness

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// Stream is a connection whose two directions end separately: TCP or unix.
type Stream interface {
	net.Conn
	CloseRead() error
	CloseWrite() error
	SyscallConn() (syscall.RawConn, error)
}

// Origin is a server in the test's own process.
type Origin struct {
	Addr     string
	Accepted atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool // open ones; closed by Close
	l     net.Listener
}

// Serve runs a handler for each connection to a new loopback port. The connection is closed when the handler returns.
func Serve(t testing.TB, handle func(Stream)) *Origin {
	t.Helper()
	return ServeOn(t, "tcp", Loopback(t), handle)
}

// ServeOn is Serve on a given address.
func ServeOn(t testing.TB, network, address string, handle func(Stream)) *Origin {
	t.Helper()
	l, err := net.Listen(network, address)
	return serve(t, l, err, handle)
}

func serve(t testing.TB, l net.Listener, err error, handle func(Stream)) *Origin {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	o := &Origin{Addr: l.Addr().String(), l: l, conns: map[net.Conn]bool{}}
	go o.accept(handle)
	t.Cleanup(o.Close)
	return o
}

func (o *Origin) accept(handle func(Stream)) {
	for {
		conn, err := o.l.Accept()
		if err != nil {
			return
		}
		o.Accepted.Add(1)
		o.mu.Lock()
		o.conns[conn] = true
		o.mu.Unlock()
		go func() {
			handle(conn.(Stream))
			conn.Close()
			o.mu.Lock()
			delete(o.conns, conn)
			o.mu.Unlock()
		}()
	}
}

// Close stops listening and closes what is open.
func (o *Origin) Close() {
	o.l.Close()
	o.mu.Lock()
	defer o.mu.Unlock()
	for conn := range o.conns {
		conn.Close()
	}
}

// Open is the number of connections that are open now.
func (o *Origin) Open() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.conns)
}

// Echo sends back what it gets and ends when the client does. It hides what kind of connection it has from io.Copy, which
// would splice it through a pipe: two more descriptors each, of which a process has only so many.
func Echo(s Stream) {
	io.Copy(struct{ io.Writer }{s}, struct{ io.Reader }{s})
	s.CloseWrite()
}

// Hold keeps the connection until the client ends it.
func Hold(s Stream) { io.Copy(io.Discard, s) }

// Name answers with a name and closes.
func Name(name string) func(Stream) {
	return func(s Stream) { io.WriteString(s, name) }
}

// Reset makes the next close of a TCP connection a reset.
func Reset(s Stream) {
	if c, ok := s.(*net.TCPConn); ok {
		c.SetLinger(0)
	}
	s.Close()
}
