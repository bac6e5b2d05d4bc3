package flow

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Each timeout of the manual, to the millisecond: set the timeouts, do something, and the flow is there a millisecond
// before its time and gone at it.
func TestTimeouts(t *testing.T) {
	nothing := func(*script, *peer, *peer) {}
	clientTalks := func(s *script, c, v *peer) { s.pass(6 * time.Second); c.send("x"); v.got("x", "") }
	serverTalks := func(s *script, c, v *peer) { s.pass(6 * time.Second); v.send("x"); c.got("x", "") }
	clientEnds := func(s *script, c, v *peer) { c.finish(); v.got("", "EOF") }
	serverEnds := func(s *script, c, v *peer) { v.finish(); c.got("", "EOF") }
	type timeouts struct{ client, clientFin, server, serverFin, tunnel uint64 }
	for _, test := range []struct {
		name        string
		timeouts    timeouts
		independent bool
		do          func(s *script, client, server *peer)
		want        time.Duration // after what was done; 0: never
		letter      string
	}{
		{"client", timeouts{client: 10_000, server: 20_000}, false, nothing, 10 * time.Second, "cD"},
		{"server", timeouts{client: 20_000, server: 10_000}, false, nothing, 10 * time.Second, "sD"},
		{"none", timeouts{}, false, nothing, 0, ""},
		{"client that talks", timeouts{client: 10_000}, false, clientTalks, 10 * time.Second, "cD"},
		{"server that talks", timeouts{server: 10_000}, false, serverTalks, 10 * time.Second, "sD"},
		{"what it is sent keeps the server", timeouts{server: 10_000}, false, clientTalks, 10 * time.Second, "sD"},
		{"what it is sent keeps the client", timeouts{client: 10_000}, false, serverTalks, 10 * time.Second, "cD"},
		{"but not with independent-streams, server", timeouts{server: 10_000}, true, clientTalks, 4 * time.Second, "sD"},
		{"but not with independent-streams, client", timeouts{client: 10_000}, true, serverTalks, 4 * time.Second, "cD"},
		{"tunnel supersedes both, longer", timeouts{client: 1000, server: 1000, tunnel: 10_000}, false, nothing, 10 * time.Second, "cD"},
		{"tunnel supersedes both, shorter", timeouts{client: 20_000, server: 20_000, tunnel: 5000}, false, nothing, 5 * time.Second, "cD"},
		{"client-fin after the server's end", timeouts{client: 20_000, clientFin: 2000, server: 20_000}, false, serverEnds, 2 * time.Second, "cD"},
		{"client-fin supersedes tunnel", timeouts{clientFin: 2000, tunnel: 60_000}, false, serverEnds, 2 * time.Second, "cD"},
		{"without client-fin the client's", timeouts{client: 7000, server: 20_000, serverFin: 100}, false, serverEnds, 7 * time.Second, "cD"},
		{"server-fin after the client's end", timeouts{client: 20_000, server: 20_000, serverFin: 3000}, false, clientEnds, 3 * time.Second, "sD"},
		{"server-fin supersedes tunnel", timeouts{serverFin: 3000, tunnel: 60_000}, false, clientEnds, 3 * time.Second, "sD"},
		{"a client that has ended is not late", timeouts{client: 1000, clientFin: 500, server: 9000}, false, clientEnds, 9 * time.Second, "sD"},
		{"a server that has ended is not late", timeouts{client: 9000, server: 1000, serverFin: 500}, false, serverEnds, 9 * time.Second, "cD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, scriptProxy(&config.Server{}))
			s.frontend.ClientTimeout, s.frontend.ClientFinTimeout = test.timeouts.client, test.timeouts.clientFin
			s.frontend.IndependentStreams, s.backend.IndependentStreams = test.independent, test.independent
			s.backend.Timeouts = Timeouts{Connect: 5000, Server: test.timeouts.server, ServerFin: test.timeouts.serverFin, Tunnel: test.timeouts.tunnel}
			client, server := s.flow()
			test.do(s, client, server)
			if test.want == 0 {
				s.pass(24 * time.Hour)
				if s.loop.count != 1 {
					t.Error("the flow is gone")
				}
				client.reset()
				s.over()
				return
			}
			s.pass(test.want - time.Millisecond)
			if s.loop.count != 1 {
				t.Fatal("the flow is gone too early")
			}
			s.pass(time.Millisecond)
			if s.loop.count != 0 {
				t.Fatal("the flow is still there")
			}
			s.line(`f b/s1 0/0/\d+ \d ` + test.letter + ` 1/1/0/0/0 0/0`)
			ofClient, ofServer := 1, 0
			if test.letter == "sD" {
				ofClient, ofServer = 0, 1
			}
			s.counts(s.frontend.Stats, stats.ClientTimeouts, ofClient, stats.ServerTimeouts, ofServer)
			s.counts(s.backend.Servers()[0].Stats, stats.ServerTimeouts, ofServer)
			s.over()
		})
	}
}

// A client that does not take its bytes is late, however much the server would send; the server is not.
func TestClientThatDoesNotRead(t *testing.T) {
	for i := range 4 {
		s := newScript(t, scriptProxy(&config.Server{}))
		s.frontend.ClientTimeout, s.backend.Timeouts.Server, s.frontend.SpliceResponse = 10_000, 3_000, i&1 > 0
		client, server := s.flow()
		if i&2 > 0 {
			client.finish() // it owes us nothing but taking our bytes
		}
		chunk := []byte(strings.Repeat("x", 100_000))
		for range 1000 {
			if n, _ := server.Send(chunk); n <= 0 {
				break
			}
			s.settle()
		}
		if !s.loop.flows.client.blocked {
			t.Fatal("nothing is held back")
		}
		s.pass(10*time.Second - time.Millisecond)
		if s.loop.count != 1 {
			t.Fatal("too early")
		}
		s.pass(time.Millisecond)
		s.line(`f b/s1 0/0/10000 \d+ cD 1/1/0/0/0 0/0`)
		s.over()
	}
}

// Traffic never moves the timer; it looks again when it fires, and then at the right time.
func TestTimerFollowsActivity(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	s.frontend.ClientTimeout, s.backend.Timeouts = 10_000, Timeouts{Connect: 60_000}
	client, server := s.flow()
	for range 20 {
		s.pass(9 * time.Second)
		client.send("x")
	}
	s.pass(10*time.Second - time.Millisecond)
	if s.loop.count != 1 {
		t.Fatal("too early")
	}
	s.pass(time.Millisecond)
	server.got(strings.Repeat("x", 20), "EOF")
	s.over()
}
