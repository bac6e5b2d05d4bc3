package page

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
)

// serve starts a server and gives its address.
func serve(t *testing.T, limits Limits, counts *Counts, h http.HandlerFunc) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(h, counts, limits)
	if counts != nil {
		s.Listen(l, *counts)
	} else {
		s.Listen(l)
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, l.Addr().String()
}

func hello(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 2000 {
		if holds() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%s does not come", what)
}

// answered tells whether a request on an open connection is answered within a time.
func answered(c net.Conn, within time.Duration) bool {
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	c.SetReadDeadline(time.Now().Add(within))
	_, err := c.Read(make([]byte, 1))
	return err == nil
}

func TestConnectionsAreCountedAndLimited(t *testing.T) {
	counts := &Counts{stats.New(1), new(stats.Gauge)}
	s, addr := serve(t, Limits{MaxConn: 1}, counts, hello)
	one := dial(t, addr)
	if !answered(one, 10*time.Second) {
		t.Fatal("no answer")
	}
	two := dial(t, addr) // into the kernel's backlog
	if answered(two, 50*time.Millisecond) {
		t.Error("a second connection is served beyond the limit")
	}
	s.SetMaxConn(2)
	if !answered(two, 10*time.Second) {
		t.Error("the second connection is not served although there is room")
	}
	if c, r, in := counts.Stats.Sum(stats.Connections), counts.Stats.Sum(stats.Sessions), counts.Stats.Sum(stats.BytesIn); c != 2 || r < 2 || in == 0 {
		t.Errorf("%d connections, %d requests, %d bytes", c, r, in)
	}
	one.Close()
	two.Close()
	eventually(t, "the end of both", func() bool { return counts.Flows.Value() == 0 })
	if got := counts.Flows.Highest(); got != 2 {
		t.Errorf("at most %d at once", got)
	}
}

func TestRestAndEnd(t *testing.T) {
	s, addr := serve(t, Limits{}, nil, hello)
	if !answered(dial(t, addr), 10*time.Second) {
		t.Fatal("no answer")
	}
	s.Rest(true)
	s.Rest(true)
	c := dial(t, addr)
	if answered(c, 50*time.Millisecond) {
		t.Error("a server that rests answers")
	}
	s.Rest(false)
	if !answered(c, 10*time.Second) {
		t.Error("no answer after the rest")
	}
	s.Rest(true)
	s.StopListening() // also out of its rest
	s.StopListening()
	eventually(t, "a closed port", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	s.Close()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.Copy(io.Discard, c); errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Who does not ask, or asks for ever, is let go.
func TestLimitsOfRequests(t *testing.T) {
	_, addr := serve(t, Limits{Request: 100 * time.Millisecond}, nil, hello)
	slow := dial(t, addr)
	fmt.Fprint(slow, "GET / HTTP/1.1\r\nHost: x\r\n")
	slow.SetReadDeadline(time.Now().Add(10 * time.Second))
	if answer, err := io.ReadAll(slow); err != nil {
		t.Errorf("half a request: %q, %v", answer, err)
	}
	large := dial(t, addr)
	go func() {
		fmt.Fprint(large, "GET / HTTP/1.1\r\n")
		for range 3000 {
			if _, err := fmt.Fprint(large, "X-Header: 0123456789\r\n"); err != nil {
				return
			}
		}
	}()
	large.SetReadDeadline(time.Now().Add(10 * time.Second))
	line := make([]byte, 12)
	if _, err := io.ReadFull(large, line); err == nil && string(line) != "HTTP/1.1 431" && string(line) != "HTTP/1.1 408" {
		t.Errorf("a header without end: %q", line)
	}
}
