package flow

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/wire"
	"github.com/sluice-lb/sluice/poller"
)

// shelf is Sockets of the process's own namespace, which the test puts there one by one.
type shelf struct {
	t      *testing.T
	fds    []int
	errno  poller.Errno // of Take, while there is nothing
	taken  int
	asked  []int // families
	waiter []func(poller.Errno)
}

func (s *shelf) Take(family int) (int, poller.Errno) {
	if len(s.fds) == 0 {
		return 0, s.errno
	}
	fd := s.fds[0]
	s.fds = s.fds[1:]
	s.taken++
	return fd, 0
}

func (s *shelf) Make(int) (int, error) { return 0, errors.New("loops do not wait") }

func (s *shelf) Await(family int, tell func(poller.Errno)) {
	s.asked = append(s.asked, family)
	s.waiter = append(s.waiter, tell)
}

// put makes n sockets ready, and tells those who wait.
func (s *shelf) put(n int, errno poller.Errno) {
	for range n {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
		if err != nil {
			s.t.Fatal(err)
		}
		s.fds = append(s.fds, fd)
	}
	waiter := s.waiter
	s.waiter = nil
	for _, tell := range waiter {
		tell(errno)
	}
}

// inNamespace has the first server reached from a namespace.
func inNamespace(x *shelf, client bool) func(*script) {
	return func(s *script) {
		n := NewNamespace(s.process, "blue", x)
		s.process.Namespaces = map[string]*Namespace{"blue": n}
		target := &Target{Addr: s.servers[0].listener.Addr(), SendProxy: 2, ClientNamespace: client}
		if !client {
			target.Namespace = n
		}
		SetTarget(s.backend.Servers()[0], target)
	}
}

// A flow takes a socket that is there at once; otherwise it waits, and goes on when it is told, in turn with the others.
func TestNamespaceSockets(t *testing.T) {
	x := &shelf{t: t, errno: poller.EAGAIN}
	x.put(1, 0)
	s := newScript(t, scriptProxy(&config.Server{}), inNamespace(x, false))
	s.client().send("1")
	s.servers[0].accept()
	if x.taken != 1 || len(x.asked) != 0 {
		t.Fatalf("%d taken, asked %v", x.taken, x.asked)
	}
	var waiting []*peer
	for range 3 {
		waiting = append(waiting, s.client())
	}
	s.servers[0].none()
	if len(x.asked) != 1 {
		t.Errorf("asked %d times for one loop", len(x.asked))
	}
	x.put(2, 0)
	first, second := s.servers[0].accept(), s.servers[0].accept()
	s.servers[0].none() // the third waits again
	if len(x.asked) != 2 {
		t.Errorf("asked %d times", len(x.asked))
	}
	waiting[0].send("a")
	waiting[1].send("b")
	for i, server := range []*peer{first, second} {
		have, _ := server.read()
		if len(have) == 0 || have[len(have)-1] != "ab"[i] {
			t.Errorf("server %d got %q", i, have)
		}
	}
	x.put(1, 0)
	s.servers[0].accept()
	if n := s.backend.Servers()[0].Stats.Sum(stats.Connections); n != 4 {
		t.Errorf("%d connects are counted", n)
	}
}

// Who stops waiting for a socket is gone from the line: at its timeout, when its client leaves, when the process stops, when there
// will be none. Then the retries follow as after any failure.
func TestNamespaceSocketsThatDoNotCome(t *testing.T) {
	for _, test := range []struct {
		name  string
		end   func(*script, *shelf, *peer)
		log   string
		count stats.ID
	}{
		{"timeout", func(s *script, x *shelf, c *peer) { s.pass(5 * time.Second) }, "sC", stats.ConnectTimeouts},
		{"client", func(s *script, x *shelf, c *peer) { c.reset(); s.settle() }, "CC", stats.ClientAborts},
		{"stop", func(s *script, x *shelf, c *peer) { s.loop.Cut(); s.settle() }, "KC", stats.Killed},
		{"gone", func(s *script, x *shelf, c *peer) { x.put(0, poller.ENONET); s.settle() }, "SC", stats.ConnectUnreached},
		{"descriptors", func(s *script, x *shelf, c *peer) { x.put(0, poller.EMFILE); s.settle() }, "RC", stats.ConnectLocal},
		{"absent at once", nil, "SC", stats.ConnectUnreached},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := &shelf{t: t, errno: poller.EAGAIN}
			if test.end == nil {
				x.errno = poller.ENONET
			}
			s := newScript(t, scriptProxy(&config.Server{}), inNamespace(x, false))
			c := s.client()
			if test.end != nil {
				test.end(s, x, c)
			}
			s.over()
			s.line(`.* b/s1 .* ` + test.log + ` .*`)
			if a, b := s.backend.Stats.Sum(test.count), s.frontend.Stats.Sum(test.count); a+b == 0 {
				t.Errorf("%s is not counted", stats.Names[test.count])
			}
			x.put(1, 0) // nobody is there to take it
			s.settle()
			if x.taken != 0 {
				t.Error("a socket was taken for a flow that has ended")
			}
			for _, fd := range x.fds {
				syscall.Close(fd)
			}
		})
	}
}

// "namespace *": the client's, as its header names it; what it may not name leads nowhere. The server is told where the client is.
func TestClientNamespace(t *testing.T) {
	header := func(name string) string {
		from := wire.Endpoint{AddrPort: mustAddrPort("127.0.0.1:1111")}
		return string(wire.AppendV2(nil, from, wire.Endpoint{AddrPort: mustAddrPort("198.51.100.9:22")}, wire.V2Options{Namespace: name}))
	}
	for _, test := range []struct {
		name, bind string
		taken      int
		told       string
		lost       bool
	}{
		{name: "blue", taken: 1, told: "blue"},
		{name: "red", lost: true},
		{name: "red", bind: "blue", lost: true},
		{name: "", told: ""},
		{name: "", bind: "blue", taken: 1, told: "blue"},
	} {
		x := &shelf{t: t, errno: poller.EAGAIN}
		x.put(test.taken, 0)
		s := newScript(t, scriptProxy(&config.Server{}), acceptProxy, inNamespace(x, true))
		s.bind.Namespace = s.process.Namespaces[test.bind]
		client := s.client()
		client.send(header(test.name))
		if test.lost {
			s.over()
			s.line(`.* b/s1 .* SC .*`)
			continue
		}
		server := s.servers[0].accept()
		have, _ := server.read()
		_, _, told := wire.Carried([]byte(have))
		if x.taken != test.taken || string(told) != test.told {
			t.Errorf("%+v: %d taken, the server was told %q", test, x.taken, told)
		}
		client.reset()
		s.over()
	}
}

// An acceptor without a listener accepts nothing, and from each that it is given until the next; held by the operator it waits.
func TestAcceptorMoves(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	listen := func(at poller.Addr) *poller.Listener {
		t.Helper()
		ln, err := poller.Listen(at, poller.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ln.Join()
		return ln
	}
	move := func(to *poller.Listener) {
		t.Helper()
		if err := s.acceptor.Move(to); err != nil {
			t.Fatal(err)
		}
		if to != nil {
			s.addr = to.Addr()
		}
	}
	s.client()
	s.servers[0].accept()
	move(listen(loopback))
	s.client()
	s.servers[0].accept()
	old := s.addr
	move(nil)
	for _, do := range []func(){
		s.acceptor.Hold, func() { s.acceptor.Suspend() }, func() { s.acceptor.Listen() }, s.acceptor.Accept,
		func() { s.frontend.exhausted(s.loop, poller.EMFILE) }, s.frontend.resume, s.settle,
	} {
		do()
	}
	ln, err := poller.Listen(old, poller.ListenOptions{}) // the port is free
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	s.acceptor.Hold()
	move(listen(old)) // a suspended one whose port the kernel had chosen might come back with another
	s.acceptor.Suspend()
	if errno := s.acceptor.Listen(); errno != nil {
		t.Fatal(errno)
	}
	s.dial()
	s.servers[0].none()
	s.acceptor.Accept()
	s.servers[0].accept()
	s.acceptor.Stop()
	last := listen(loopback)
	move(last)
	if ln, err := poller.Listen(s.addr, poller.ListenOptions{}); err != nil {
		t.Errorf("a stopped acceptor keeps a listener: %v", err)
	} else {
		ln.Close()
	}
}
