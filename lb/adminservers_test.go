package lb

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// dynamic is a balancer with a stats socket and a few backends, running.
func dynamic(t *testing.T) (b *Balancer, told *said, socket, origin string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	origin, socket = ln.Addr().String(), filepath.Join(t.TempDir(), "s")
	b, told = open(t, fmt.Sprintf(`
global
    nbthread 2
    stats socket %s level admin
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend front
    bind %s
    default_backend back
backend back
    default-server weight 7
    server a %s check guid one
    server b %s track a
    server five %s id 5
backend map
    hash-type map-based
    balance source
backend direct
    dispatch %[3]s
`, socket, freeAddress(t), origin, origin, origin))
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	return b, told, socket, origin
}

func TestAddServer(t *testing.T) {
	b, _, socket, origin := dynamic(t)
	for _, test := range []struct{ line, want string }{
		{"add server", "Require 'backend/server'."},
		{"add server back", "Require 'backend/server'."},
		{"add server nope/x " + origin, "No such backend."},
		{"add server back/x", "'server' expects <name> and <addr>[:<port>] as arguments."},
		{"add server back/a " + origin, "Already exists a server with the same name in backend."},
		{"add server direct/a " + origin, "Backend must choose among servers to support dynamic servers: it has 'dispatch' or 'option transparent'."},
		{"add server back/x " + origin + " id 5", "'id' : custom id 5 already used ('server five')."},
		{"add server back/x " + origin + " guid one", "'guid' : 'one' is already used."},
		{"add server back/x " + origin + " foo", "unknown option 'foo' on server 'x'"},
		{"add server back/x nowhere.invalid:80 init-addr libc", "cannot resolve 'nowhere.invalid'"},
		{"add server back/x 127.0.0.1 check", "server 'back/x' has neither a port nor a port for its check"},

		{"add server back/x " + origin + " check", "New server registered."},
		{"get weight back/#3", "7 (initial 7)"},
		{"show stat back 4 3", "MAINT"},
		{"add server back/y " + origin + " track x", "New server registered."}, // one that was added, too
		{"set server back/x state maint; del server back/x", "This server cannot be removed at runtime due to other configuration elements pointing to it."},
		{"del server back/y", "Server deleted."},
		{"add server back/y " + origin + " enabled", "New server registered."},
		{"show stat back 4 4", "no check"},
		{"del server back/y", "Only servers in maintenance mode can be deleted."},
		{"add server back/n nowhere.invalid:80 enabled", "New server registered."},
		{"show stat back 4 6", "MAINT (resolution)"},
		{"set server back/n addr 127.0.0.1; show stat back 4 6", "no check"},
		{"add server map/only " + origin, "New server registered."},
		{"del server map/#1", "Server deleted."},
		{"del server map/only", "No such server."},
		{"del server back/a", "This server cannot be removed at runtime due to other configuration elements pointing to it."},
		{"set server back/b state maint; del server back/b; set server back/a state maint; del server back/a", "Server deleted.\n\n\nServer deleted."},
		{"add server back/again " + origin, "New server registered."},
		{"show stat back 4 1", "back,again,"},
		{"add server back/warned " + origin + " check-via-socks4", "server 'back/warned' : 'check-via-socks4' needs 'socks4', and is ignored\nNew server registered."},
	} {
		if got := command(t, socket, test.line); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.line, got, test.want)
		}
	}
	if got := command(t, socket, "show servers state back"); strings.Count(got, "\n") != 3+6 || !strings.Contains(got, " back 1 again 127.0.0.1 0 1 7 7 ") {
		t.Errorf("states:\n%s", got)
	}
	if n := len(b.config.Proxies[1].Servers); n != 3 {
		t.Errorf("the configuration has %d servers", n)
	}
}

// Of ten thousand servers that came and went with checks and agents nothing is left: no memory, no goroutine, no descriptor.
func TestServersLeaveNothing(t *testing.T) {
	b, told, _, origin := dynamic(t)
	p := b.admin.proxies[1]
	lines := []string{"", "check inter 10ms", "agent-check agent-port 1 agent-inter 10ms slowstart 1s", "track a weight 3"}
	rounds := func(n int) {
		for i := range n {
			if _, err := b.admin.AddServer(p, strings.Fields("x "+origin+" enabled "+lines[i%len(lines)])); err != nil {
				t.Fatal(err)
			}
			s := b.serverNamed("back/x")
			s.SetChecksEnabled(true)
			s.SetAgentEnabled(true)
			if i%100 == 1 {
				time.Sleep(2 * time.Millisecond) // some are checked, too
			}
			s.SetMaintenance(true)
			if err := b.admin.RemoveServer(s); err != nil {
				t.Fatal(err)
			}
		}
	}
	measure := func() (heap uint64, goroutines, descriptors int) {
		told.mu.Lock()
		told.lines = nil
		told.mu.Unlock()
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		open, _ := os.ReadDir("/proc/self/fd")
		return m.HeapAlloc, runtime.NumGoroutine(), len(open)
	}
	rounds(100)
	heap, goroutines, descriptors := measure()
	rounds(10_000)
	const slack = 1 << 20
	var h uint64
	var g, d int
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) { // the last checks and timers end
		if h, g, d = measure(); h <= heap+slack && g <= goroutines+2 && d <= descriptors+2 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("heap %d, then %d bytes; %d, then %d goroutines; %d, then %d descriptors", heap, h, goroutines, g, descriptors, d)
		}
	}
	t.Logf("heap %d, then %d bytes; %d, then %d goroutines; %d, then %d descriptors", heap, h, goroutines, g, descriptors, d)
	if len(b.checks.servers) != 1 || len(b.checks.own) != 0 {
		t.Errorf("checks of %d servers are left", len(b.checks.servers))
	}
}
