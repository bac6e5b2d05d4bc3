package poller

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func listenTCP(t *testing.T) (net.Listener, Addr) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln, IP(netip.MustParseAddrPort(ln.Addr().String()))
}

// fullListener has a backlog that is full: further connects are never answered.
func fullListener(t *testing.T) Addr {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := IP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(name.(*syscall.SockaddrInet4).Port)))
	for { // a backlog of 0 takes one or two
		var c Conn
		if err := c.Connect(addr, Addr{}, &ConnectOptions{}, time.Now().Add(50*time.Millisecond)); err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
}

func TestDialSpeaks(t *testing.T) {
	ln, addr := listenTCP(t)
	go func() {
		peer, err := ln.Accept()
		if err != nil {
			return
		}
		defer peer.Close()
		io.Copy(peer, peer)
	}()
	c, err := Dial(context.Background(), addr, IP(netip.MustParseAddrPort("127.0.0.9:0")), &ConnectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := c.LocalAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.9" {
		t.Errorf("connected from %s, not from the source", got)
	}
	if got := c.RemoteAddr().String(); got != addr.String() {
		t.Errorf("remote address %s, want %s", got, addr)
	}
	big := make([]byte, 1<<20) // more than the kernel takes at once, so that Write has to wait
	written := make(chan error)
	go func() { _, err := c.Write(big); written <- err }()
	if _, err := io.ReadFull(c, make([]byte, len(big))); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	c.(*Conn).CloseWrite()
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the peer's end: %v, want EOF", err)
	}
}

func TestDialErrors(t *testing.T) {
	ln, addr := listenTCP(t)
	ln.Close()
	if _, err := Dial(context.Background(), addr, Addr{}, &ConnectOptions{}); !errors.Is(err, ECONNREFUSED) {
		t.Errorf("closed port: %v", err)
	}
	if _, err := Dial(context.Background(), Addr{Path: filepath.Join(t.TempDir(), "none")}, Addr{}, &ConnectOptions{}); !errors.Is(err, ENOENT) {
		t.Errorf("no unix socket: %v", err)
	}
	if _, err := Dial(context.Background(), addr, IP(netip.MustParseAddrPort("192.0.2.1:0")), &ConnectOptions{}); !errors.Is(err, EADDRNOTAVAIL) {
		t.Errorf("a foreign source: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, fullListener(t), Addr{}, &ConnectOptions{}); err == nil || !os.IsTimeout(err) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := Dial(ctx, fullListener(t), Addr{}, &ConnectOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestConnDeadlineAndInterrupt(t *testing.T) {
	_, addr := listenTCP(t)
	var c Conn
	if err := c.Connect(addr, Addr{}, &ConnectOptions{}, time.Now().Add(20*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read past the deadline: %v", err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	time.AfterFunc(10*time.Millisecond, c.Interrupt)
	if _, err := c.Read(make([]byte, 1)); err != ErrInterrupted {
		t.Errorf("interrupted read: %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); err != ErrInterrupted {
		t.Errorf("read after the interruption: %v", err)
	}
	c.Close()
	c.Interrupt()
	if err := c.Connect(fullListener(t), Addr{}, &ConnectOptions{}, time.Time{}); err != ErrInterrupted {
		t.Errorf("connect after an interruption: %v", err)
	}
	if c.Open() {
		t.Error("a descriptor is left after an error")
	}
	c.Reset()
	if err := c.Connect(addr, Addr{}, &ConnectOptions{}, time.Now().Add(20*time.Millisecond)); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the interruption outlived Reset: %v", err)
	}
}

// Abort ends with a reset, Close without it with a FIN.
func TestConnAbort(t *testing.T) {
	for _, abort := range []bool{false, true} {
		ln, addr := listenTCP(t)
		var c Conn
		if err := c.Connect(addr, Addr{}, &ConnectOptions{}, time.Time{}); err != nil {
			t.Fatal(err)
		}
		peer, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if abort {
			c.Abort()
		}
		c.Close()
		_, err = peer.Read(make([]byte, 1))
		peer.Close()
		if reset := errors.Is(err, ECONNRESET); reset != abort {
			t.Errorf("abort %v: the peer reads %v", abort, err)
		}
	}
}

func TestConnPortRange(t *testing.T) {
	_, addr := listenTCP(t)
	o := &ConnectOptions{Ports: NewPortRange(42100, 42103)}
	source := IP(netip.MustParseAddrPort("127.0.0.10:0"))
	var conns [4]Conn
	for i := range conns {
		if err := conns[i].Connect(addr, source, o, time.Time{}); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close()
		if p := conns[i].Local().Port(); p < 42100 || p > 42103 {
			t.Errorf("port %d is outside of the range", p)
		}
	}
	var fifth Conn
	if err := fifth.Connect(addr, source, o, time.Time{}); !errors.Is(err, EADDRNOTAVAIL) && !errors.Is(err, EADDRINUSE) {
		t.Errorf("all ports taken: %v", err)
	}
}

func BenchmarkConnectClose(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	addr := IP(netip.MustParseAddrPort(ln.Addr().String()))
	o := &ConnectOptions{SocketOptions: SocketOptions{NoQuickAck: true}}
	var c Conn
	for b.Loop() {
		if err := c.Connect(addr, Addr{}, o, time.Now().Add(time.Second)); err != nil {
			b.Fatal(err)
		}
		c.Abort()
		c.Close()
	}
}
