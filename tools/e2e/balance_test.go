package e2e

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// tally makes n connections, 20 at a time, and counts the names that answered.
func tally(t *testing.T, addr string, n int) map[string]int {
	t.Helper()
	var mu sync.Mutex
	counts := map[string]int{}
	var workers sync.WaitGroup
	for w := range 20 {
		workers.Go(func() {
			for i := w; i < n; i += 20 {
				name, err := harness.Ask(addr)
				if err != nil {
					t.Errorf("connection %d: %v", i, err)
					return
				}
				mu.Lock()
				counts[name]++
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return counts
}

// near fails the test unless each count is the expected one, give or take.
func near(t *testing.T, got, want map[string]int, give int) {
	t.Helper()
	for name := range got {
		if _, expected := want[name]; !expected {
			t.Errorf("%s answered %d times, want never", name, got[name])
		}
	}
	for name, n := range want {
		if got[name] < n-give || got[name] > n+give {
			t.Errorf("%s answered %d times, want %d ± %d", name, got[name], n, give)
		}
	}
}

// 10,000 connections go out by the weights.
func TestWeights(t *testing.T) {
	var servers [3]string
	for i, name := range []string{"a", "b", "c"} {
		servers[i] = "server " + name + " " + harness.Serve(t, harness.Name(name)).Addr + " weight " + []string{"10", "30", "60"}[i]
	}
	logs := harness.ReceiveUDP(t)
	for _, c := range []struct {
		balance     string
		n           int
		give        int
		description string
	}{
		{"roundrobin", 10000, 100, "exact but for the turn that ends in the middle"},
		{"static-rr", 2000, 20, "the same"},
		{"random", 4000, 200, "six standard deviations of 4,000 draws"},
	} {
		t.Run(c.balance, func(t *testing.T) {
			addr := harness.Loopback(t)
			harness.Start(t, config(logs, "no log", section("listen front", "bind "+addr, "balance "+c.balance, servers[0], servers[1], servers[2])))
			near(t, tally(t, addr, c.n), map[string]int{"a": c.n / 10, "b": c.n * 3 / 10, "c": c.n * 6 / 10}, c.give)
		})
	}
}

// roundrobin is smooth: of every ten in a row each server gets its share, heavy ones not in one block.
func TestRoundRobinIsSmooth(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	harness.Start(t, "global\n nbthread 1\n"+config(logs, "", section("listen front", "bind "+addr, "balance roundrobin",
		"server a "+harness.Serve(t, harness.Name("a")).Addr+" weight 5",
		"server b "+harness.Serve(t, harness.Name("b")).Addr+" weight 1")))
	run, longest, last := 0, 0, ""
	for range 60 {
		name, err := harness.Ask(addr)
		if err != nil {
			t.Fatal(err)
		}
		if name != last {
			run = 0
		}
		run, last = run+1, name
		longest = max(longest, run)
	}
	if longest != 5 {
		t.Errorf("the longest run of one server was %d, want the heavy one's 5", longest)
	}
}

// holders starts n origins that name themselves and hold their connections.
func holders(t *testing.T, n int) (servers []string, origins []*harness.Origin) {
	for i := range n {
		name := fmt.Sprintf("s%d", i)
		o := harness.Serve(t, func(s harness.Stream) {
			s.Write([]byte(name))
			harness.Hold(s)
		})
		origins = append(origins, o)
		servers = append(servers, "server "+name+" "+o.Addr)
	}
	return servers, origins
}

// leastconn fills evenly, and what one server loses it gets next.
func TestLeastConn(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	servers, origins := holders(t, 3)
	b := harness.Start(t, config(logs, "", section("listen front", append([]string{"bind " + addr, "balance leastconn"}, servers...)...)))
	clients := map[string][]harness.Stream{}
	open := func(n int) {
		for range n {
			client := harness.DialTCP(t, addr)
			name := make([]byte, 2)
			client.Read(name)
			clients[string(name)] = append(clients[string(name)], client)
		}
	}
	open(90)
	for i, o := range origins {
		if o.Open() != 30 {
			t.Errorf("server %d has %d of 90, want 30", i, o.Open())
		}
	}
	for _, client := range clients["s1"] {
		client.Close()
	}
	clients["s1"] = nil
	harness.Eventually(t, "s1 is empty", func() bool { return b.Streams() == 2*60 })
	open(30)
	for i, o := range origins {
		if o.Open() != 30 {
			t.Errorf("server %d has %d of 90 after s1 was emptied, want 30", i, o.Open())
		}
	}
}

// first fills one server before it takes the next.
func TestFirst(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	servers, origins := holders(t, 3)
	for i := range servers {
		servers[i] += fmt.Sprintf(" id %d maxconn 4", i+1)
	}
	harness.Start(t, config(logs, "", section("listen front", append([]string{"bind " + addr, "balance first"}, servers...)...)))
	for i, want := range [][3]int{{4, 0, 0}, {4, 4, 0}, {4, 4, 4}} {
		for range 4 {
			client := harness.DialTCP(t, addr)
			client.Read(make([]byte, 2))
		}
		for server, o := range origins {
			if o.Open() != want[server] {
				t.Errorf("after %d connections server %d has %d, want %d", 4*(i+1), server, o.Open(), want[server])
			}
		}
	}
}

// source keeps a client's address at one server and spreads the addresses.
func TestSource(t *testing.T) {
	t.Parallel()
	for _, hash := range []string{"hash-type map-based", "hash-type consistent", "hash-type consistent djb2 avalanche"} {
		t.Run(hash, func(t *testing.T) {
			t.Parallel()
			logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
			lines := []string{"bind " + addr, "balance source", hash}
			for _, name := range []string{"a", "b", "c", "d"} {
				lines = append(lines, "server "+name+" "+harness.Serve(t, harness.Name(name)).Addr)
			}
			harness.Start(t, config(logs, "", section("listen front", lines...)))
			counts := map[string]int{}
			for client := range 100 {
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 9, byte(client), byte(client*7))}, Timeout: harness.Patience}
				first := ""
				for range 3 {
					conn, err := dialer.Dial("tcp", addr)
					if err != nil {
						t.Fatal(err)
					}
					conn.SetDeadline(time.Now().Add(harness.Patience))
					name := make([]byte, 1)
					conn.Read(name)
					conn.Close()
					if first == "" {
						first = string(name)
					} else if first != string(name) {
						t.Errorf("client %d went to %s and to %s", client, first, name)
					}
				}
				counts[first]++
			}
			for _, name := range []string{"a", "b", "c", "d"} {
				if counts[name] < 5 {
					t.Errorf("of 100 addresses %d went to %s: %v", counts[name], name, counts)
				}
			}
		})
	}
}
