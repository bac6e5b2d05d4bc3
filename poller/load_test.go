package poller

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

// slow is mail that takes its time.
type slow struct{ Mail }

func (s *slow) Deliver(*Mail) { time.Sleep(20 * time.Millisecond) }

func TestLoad(t *testing.T) {
	l, err := NewLoop(Options{Measure: true})
	if err != nil {
		t.Fatal(err)
	}
	l.Turn0(t)
	s := &slow{}
	s.To = s
	l.Post(&s.Mail)
	l.Turn()
	l.Turn0(t)
	load := l.Load()
	if load.LongestGap < 20*time.Millisecond || load.Busy < load.LongestGap || load.Turns < 3 {
		t.Errorf("%+v", load)
	}
	long, all := uint64(0), uint64(0)
	for i, n := range load.Gaps {
		all += n
		if i >= 15 { // 16,384 µs and more
			long += n
		}
	}
	if long == 0 || all != load.Turns-1 {
		t.Errorf("%d turns of 20 ms, %d in all: %v", long, all, load.Gaps)
	}
	l.ClearLongestGap()
	if gap := l.Load().LongestGap; gap != 0 {
		t.Errorf("after clearing: %v", gap)
	}
}

// Turn0 is a turn that does not wait.
func (l *Loop) Turn0(t *testing.T) {
	t.Helper()
	m := &order{}
	m.To = m
	l.Post(&m.Mail)
	l.Turn()
}

type order struct{ Mail }

func (*order) Deliver(*Mail) {}

// A suspended listener refuses, its port is free for others, and it listens again.
func TestSuspend(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close() // only a port that was asked for by its number is kept by the kernel
	ln, err := Listen(IP(free.Addr().(*net.TCPAddr).AddrPort()), ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dial := func() error {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err
	}
	for range 2 {
		for range 2 { // the second time does nothing
			if err := ln.Suspend(); err != nil {
				t.Fatal(err)
			}
		}
		if dial() == nil {
			t.Error("it takes connections")
		}
		other, err := net.Listen("tcp", ln.Addr().String())
		if err != nil {
			t.Fatalf("the port is not free: %v", err)
		}
		other.Close()
		for range 2 {
			if err := ln.Listen(); err != nil {
				t.Fatal(err)
			}
		}
		if err := dial(); err != nil {
			t.Error(err)
		}
	}
}

// Keys tell sockets apart, also those that have had the same place one after the other.
func TestKeys(t *testing.T) {
	l, err := NewLoop(Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[uint64]bool{}
	for range 5 {
		var s Socket
		if errno := l.Connect(&s, IP(netip.MustParseAddrPort("127.0.0.1:1")), Addr{}, &ConnectOptions{}); errno != 0 && errno != EINPROGRESS {
			t.Skip("no socket: ", errno)
		}
		h := nothing{}
		if errno := l.Watch(&s, h); errno != 0 {
			t.Fatal(errno)
		}
		key := l.Key(&s)
		if seen[key] || l.Find(key) != Handler(h) {
			t.Errorf("key %x: seen %v, handler %v", key, seen[key], l.Find(key))
		}
		seen[key] = true
		l.Close(&s)
		if l.Find(key) != nil {
			t.Errorf("key %x leads to something after the close", key)
		}
	}
	for _, key := range []uint64{0, 1 << 40, 1<<28 - 1} {
		if l.Find(key) != nil {
			t.Errorf("key %x leads to something", key)
		}
	}
}
