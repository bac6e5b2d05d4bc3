package poller

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// echo accepts and echoes on one loop: the smallest program on a poller.
type echo struct {
	loop     *Loop
	acceptor *Acceptor
	open     atomic.Int32
}

type echoed struct {
	echo   *echo
	socket Socket
	held   []byte
}

func (e *echo) Ready(Events) {
	for {
		c := &echoed{echo: e}
		_, errno := e.loop.Accept(e.acceptor, &c.socket)
		if errno != 0 {
			return
		}
		e.open.Add(1)
		if errno := e.loop.Watch(&c.socket, c); errno != 0 {
			panic(errno)
		}
	}
}

func (c *echoed) Ready(ev Events) {
	l := c.echo.loop
	for {
		if c.held != nil {
			n, errno := c.socket.Send(c.held)
			if errno != 0 || n < len(c.held) {
				if errno == 0 {
					c.held = c.held[n:]
				}
				return
			}
			c.held = nil
		}
		n, errno := c.socket.Recv(l.Buffer())
		if errno == EAGAIN {
			return
		}
		if errno != 0 || n == 0 {
			l.Close(&c.socket)
			c.echo.open.Add(-1)
			return
		}
		c.held = append([]byte(nil), l.Buffer()[:n]...)
	}
}

func startLoop(t *testing.T, start func(*Loop)) *Loop {
	t.Helper()
	l, err := NewLoop(Options{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- l.Run(func() { start(l) }) }()
	t.Cleanup(func() {
		l.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestEcho(t *testing.T) {
	abstract := "@sluice-poller-test-" + t.Name() + time.Now().Format("150405.000000")
	for _, addr := range []Addr{
		IP(netip.MustParseAddrPort("127.0.0.1:0")),
		IP(netip.MustParseAddrPort("[::1]:0")),
		{Path: filepath.Join(t.TempDir(), "s")},
		{Path: abstract},
	} {
		ln, err := Listen(addr, ListenOptions{UID: -1, GID: -1, Mode: 0o600})
		if err != nil {
			t.Fatal(addr, err)
		}
		e := &echo{}
		startLoop(t, func(l *Loop) {
			e.loop = l
			a, err := l.Accepting(ln, e)
			if err != nil {
				panic(err)
			}
			e.acceptor = a
		})
		network := "tcp"
		if addr.IsUnix() {
			network = "unix"
		}
		target := ln.Addr().String()
		if addr.IsUnix() {
			target = addr.Path
			if target[0] == '@' {
				target += string(make([]byte, 108-len(target)))
			}
		}
		c, err := net.Dial(network, target)
		if err != nil {
			t.Fatal(addr, err)
		}
		payload := bytes.Repeat([]byte("sluice"), 300_000)
		go func() { c.Write(payload) }()
		got := make([]byte, len(payload))
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, payload) {
			t.Fatal(addr, "the echo differs", err)
		}
		c.Close()
		for deadline := time.Now().Add(5 * time.Second); e.open.Load() != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal(addr, "the loop did not see the close")
			}
		}
		ln.Close()
	}
}

// counter counts deliveries; only its loop touches n, until the wait group says that all have come.
type counter struct {
	n    int
	done *sync.WaitGroup
}

func (c *counter) Deliver(*Mail) { c.n++; c.done.Done() }

// No mail is lost or left lying, however the posts fall between a loop's look and its sleep.
func TestMailArrives(t *testing.T) { testMail(t, false) }

// The same while the loop is in a hurry. Once there is nothing to do, it sleeps all the same.
func TestMailArrivesInAHurry(t *testing.T) {
	l := testMail(t, true)
	for deadline := time.Now().Add(5 * time.Second); !l.waiting.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not sleep")
		}
	}
}

func testMail(t *testing.T, hurry bool) *Loop {
	const posters, each = 4, 20_000
	var done sync.WaitGroup
	done.Add(posters * each)
	c := &counter{done: &done}
	l := startLoop(t, func(l *Loop) { l.Hurry(hurry) })
	for p := range posters {
		go func() {
			for i := range each {
				l.Post(&Mail{To: c})
				if i%1000 == p {
					time.Sleep(time.Duration(p*3) * time.Millisecond) // let it fall asleep, hot and cold
				}
			}
		}()
	}
	done.Wait()
	if c.n != posters*each {
		t.Fatalf("%d of %d delivered", c.n, posters*each)
	}
	return l
}

type stale struct{ ready int }

func (s *stale) Ready(Events) { s.ready++ }

// An event for a socket that was closed after the kernel reported it reaches nobody, even when its slot is used again.
func TestStaleEvent(t *testing.T) {
	l, err := NewLoop(Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	addr := IP(ln.Addr().(*net.TCPAddr).AddrPort())
	var a, b Socket
	first, second := &stale{}, &stale{}
	for _, x := range []struct {
		s *Socket
		h Handler
	}{{&a, first}} {
		if e := l.Connect(x.s, addr, Addr{}, &ConnectOptions{}); e != 0 && e != EINPROGRESS {
			t.Fatal(e)
		}
		if e := l.Watch(x.s, x.h); e != 0 {
			t.Fatal(e)
		}
	}
	time.Sleep(20 * time.Millisecond)
	n, _ := epollWaitRaw(l.epoll, l.events, 1000)
	if n != 1 {
		t.Fatalf("%d events", n)
	}
	l.Again(&a, Readable)
	l.Close(&a)
	if e := l.Connect(&b, addr, Addr{}, &ConnectOptions{}); e != 0 && e != EINPROGRESS {
		t.Fatal(e)
	}
	if e := l.Watch(&b, second); e != 0 {
		t.Fatal(e)
	}
	l.turn, l.again = l.again, l.turn
	l.dispatch(n)
	l.repeat()
	if first.ready != 0 || second.ready != 0 {
		t.Fatalf("stale events were delivered: %d, %d", first.ready, second.ready)
	}
	l.Close(&b)
}

func TestSplice(t *testing.T) {
	l, err := NewLoop(Options{PipeSize: 1 << 17})
	if err != nil {
		t.Fatal(err)
	}
	from, to := pair(t), pair(t)
	p := l.Pipe()
	if p == nil || p.Size() != 1<<17 {
		t.Fatalf("pipe %+v", p)
	}
	if n, e := p.Fill(&from.ours, 1<<16); n != 0 && e != EAGAIN {
		t.Fatal(n, e)
	}
	from.peer.Write([]byte("hello"))
	for e := EAGAIN; e == EAGAIN; {
		_, e = p.Fill(&from.ours, 1<<16)
	}
	if p.Held() != 5 {
		t.Fatal(p.Held())
	}
	if n, e := p.Drain(&to.ours, false); n != 5 || e != 0 {
		t.Fatal(n, e)
	}
	b := make([]byte, 5)
	if io.ReadFull(to.peer, b); string(b) != "hello" {
		t.Fatalf("%q", b)
	}
	l.PutPipe(p)
	if again := l.Pipe(); again != p {
		t.Fatal("the pipe was not reused")
	}
}

type socketPair struct {
	ours Socket
	peer net.Conn
}

func pair(t *testing.T) *socketPair {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var p socketPair
	l, err := NewLoop(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if e := l.Connect(&p.ours, IP(ln.Addr().(*net.TCPAddr).AddrPort()), Addr{}, &ConnectOptions{}); e != 0 && e != EINPROGRESS {
		t.Fatal(e)
	}
	p.peer, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.peer.Close(); closeFD(p.ours.fd); closeFD(l.epoll); closeFD(l.eventFD) })
	return &p
}

func TestHoldReusesBuffers(t *testing.T) {
	l := &Loop{}
	for _, size := range []int{1, 4096, 4097, 65536, 1 << 20} {
		b := l.Hold(make([]byte, size))
		if len(b) != size {
			t.Fatal(size, len(b))
		}
		l.Unhold(b)
		if n := testing.AllocsPerRun(10, func() { l.Unhold(l.Hold(b[:size])) }); n != 0 {
			t.Errorf("%d bytes: %v allocations", size, n)
		}
	}
}

func TestListenerErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	if _, err := Listen(Addr{Path: file}, ListenOptions{UID: -1, GID: -1}); err == nil {
		t.Error("a plain file was replaced by a socket")
	}
	if _, err := Adopt(0); err == nil {
		t.Error("standard input was adopted as a listening socket")
	}
	ln, err := Listen(IP(netip.MustParseAddrPort("127.0.0.1:0")), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if _, err := Listen(ln.Addr(), ListenOptions{}); err == nil {
		t.Error("one address was bound twice")
	}
}
