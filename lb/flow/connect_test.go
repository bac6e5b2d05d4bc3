package flow

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// A refused connect is tried again at the same server after a second, or after timeout connect if that is shorter.
func TestRetries(t *testing.T) {
	for _, test := range []struct {
		connect uint64
		pause   time.Duration
	}{{5000, time.Second}, {0, time.Second}, {200, 200 * time.Millisecond}} {
		s := newScript(t, scriptProxy(&config.Server{}))
		s.backend.Retries, s.backend.Timeouts.Connect = 3, test.connect
		s.servers[0].down()
		client := s.client()
		client.send("x")
		for try := range 3 {
			s.counts(s.backend.Stats, stats.ConnectRefused, try+1, stats.Retries, try+1)
			s.pass(test.pause - time.Millisecond)
			s.counts(s.backend.Stats, stats.ConnectRefused, try+1)
			client.silent()
			s.pass(time.Millisecond)
		}
		client.got("", "EOF")
		s.line(fmt.Sprintf(`f b/s1 0/-1/%d 0 SC 1/1/0/0/3 0/0`, 3*test.pause.Milliseconds()))
		for _, c := range []*stats.Counters{s.backend.Stats, s.backend.Servers()[0].Stats} {
			s.counts(c, stats.ConnectRefused, 4, stats.Retries, 3, stats.ConnectFailed, 1, stats.Redispatches, 0, stats.ConnectTimeouts, 0)
		}
		s.counts(s.backend.Servers()[0].Stats, stats.Connections, 4, stats.Sessions, 1)
		s.over()
	}
}

// A server that is back in time gets the flow, with all that the client has sent.
func TestRetrySucceeds(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	s.backend.Retries = 3
	s.servers[0].down()
	client := s.client()
	client.send("question")
	s.pass(time.Second)
	client.finish()
	s.servers[0].up()
	s.pass(time.Second)
	server := s.servers[0].accept()
	server.got("question", "EOF")
	server.close()
	client.got("", "EOF")
	s.line(`f b/s1 0/2000/2000 0 -- 1/1/0/0/2 0/0`)
	s.over()
}

// An attempt that takes too long is repeated at once.
func TestConnectTimeout(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	s.backend.Retries, s.backend.Timeouts.Connect = 1, 2000
	s.servers[0].blackHole()
	client := s.client()
	for range 2 {
		s.pass(2*time.Second - time.Millisecond)
		client.silent()
		s.pass(time.Millisecond)
	}
	client.got("", "EOF")
	s.line(`f b/s1 0/-1/4000 0 sC 1/1/0/0/1 0/0`)
	s.counts(s.backend.Stats, stats.ConnectTimeouts, 2, stats.Retries, 1, stats.ConnectFailed, 1)
	s.over()
}

// With "option redispatch" a flow that nothing binds goes to another server at once.
func TestRedispatchAtOnce(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}, &config.Server{}))
	s.backend.Retries, s.backend.RedispatchEvery = 3, -1
	s.servers[0].down()
	client := s.client()
	s.servers[1].accept()
	client.reset()
	s.line(`f b/s2 0/0/0 0 CD 1/1/0/0/\+1 0/0`)
	s.counts(s.backend.Stats, stats.Redispatches, 1, stats.Retries, 1, stats.ConnectRefused, 1)
	s.counts(s.backend.Servers()[0].Stats, stats.ConnectRefused, 1, stats.Sessions, 1)
	s.counts(s.backend.Servers()[1].Stats, stats.ConnectRefused, 0, stats.Sessions, 1)
	s.over()
}

// A flow that its hash binds to a server goes to another at the retries that "option redispatch" names.
func TestRedispatchOfBound(t *testing.T) {
	for _, test := range []struct{ every, at int }{{-1, 3}, {-2, 2}, {1, 1}, {2, 2}, {3, 3}, {0, 0}} {
		p := scriptProxy(&config.Server{}, &config.Server{})
		p.Balance.Algorithm = config.SourceHash
		s := newScript(t, p)
		s.backend.Retries, s.backend.RedispatchEvery = 3, test.every
		down := 0
		probe := s.client()
		if s.backend.Servers()[1].Served() == 1 {
			down = 1
		}
		s.servers[down].accept()
		probe.reset()
		s.line(`.*`)
		up := s.servers[1-down]
		s.servers[down].down()
		client := s.client()
		for range max(test.at-1, 0) {
			up.none()
			s.pass(time.Second)
		}
		if test.at == 0 {
			for range 3 {
				s.pass(time.Second)
			}
			up.none()
			client.got("", "EOF")
			s.counts(s.backend.Stats, stats.Redispatches, 0, stats.Retries, 3, stats.ConnectFailed, 1)
			continue
		}
		if test.at > 1 {
			s.settle()
		}
		up.accept()
		client.reset()
		s.line(fmt.Sprintf(`f b/s%d \d+/0/\d+ 0 CD 1/1/0/0/\+%d 0/0`, 2-down, test.at))
		s.counts(s.backend.Stats, stats.Redispatches, 1, stats.Retries, test.at, stats.ConnectRefused, test.at)
		s.over()
	}
}

// A redispatched flow waits where the other server is full, and its old slot is free meanwhile.
func TestRedispatchWaits(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{MaxConn: 1}, &config.Server{MaxConn: 1}))
	s.backend.Retries, s.backend.RedispatchEvery = 3, -1
	s.backend.Servers()[0].SetMaintenance(true)
	holder := s.client()
	s.servers[1].accept()
	s.backend.Servers()[0].SetMaintenance(false)
	s.servers[0].down()
	client := s.client()
	// The other is full, so it stays where a slot is free.
	s.counts(s.backend.Stats, stats.ConnectRefused, 1, stats.Redispatches, 0, stats.Queued, 0)
	s.backend.Servers()[0].SetMaintenance(true)
	s.pass(time.Second)
	s.counts(s.backend.Stats, stats.ConnectRefused, 2, stats.Queued, 0) // one active server: only the last retry moves
	s.pass(time.Second)
	s.counts(s.backend.Stats, stats.ConnectRefused, 3, stats.Redispatches, 0, stats.Queued, 1)
	if s.backend.Servers()[0].Served() != 0 {
		t.Error("it waits for one server and holds a slot of the other")
	}
	s.pass(500 * time.Millisecond)
	holder.reset()
	s.line(`f b/s2 .*`)
	s.servers[1].accept()
	client.reset()
	s.line(`f b/s2 2500/0/2500 0 CD 1/1/0/0/\+3 0/1`)
	s.counts(s.backend.Stats, stats.Redispatches, 1, stats.Retries, 3)
	s.over()
}

// A flow that waits and comes back to the server that failed it has been tried again, not redispatched.
func TestRetryThroughQueue(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{MaxConn: 1}))
	s.backend.Retries, s.backend.RedispatchEvery = 4, 2
	s.servers[0].down()
	first := s.client()
	second := s.client()
	s.pass(time.Second) // the first's second failure gives its slot to the second, and it waits
	s.servers[0].up()
	s.pass(time.Second)
	s.servers[0].accept()
	second.reset()
	s.line(`f b/s1 1000/1000/2000 0 CD 2/2/1/1/1 0/1`)
	s.servers[0].accept()
	first.reset()
	s.line(`f b/s1 2000/0/2000 0 CD 1/1/0/0/2 0/1`)
	s.counts(s.backend.Stats, stats.Redispatches, 0, stats.Retries, 3, stats.Queued, 2)
	s.over()
}

// Connects that cannot be are told apart.
func TestConnectFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		target Target
		count  stats.ID
		letter string
	}{
		{"no address", Target{Unresolved: true}, stats.ConnectUnreached, "SC"},
		{"no unix socket", Target{Addr: poller.Addr{Path: "/nonexistent/socket"}}, stats.ConnectRefused, "SC"},
		{"no abstract socket", Target{Addr: poller.Addr{Path: "@sluice-nobody-listens"}}, stats.ConnectRefused, "SC"},
		{"foreign source", Target{Source: poller.IP(mustAddrPort("192.0.2.1:0"))}, stats.ConnectLocal, "RC"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, scriptProxy(&config.Server{}))
			target := test.target
			if !target.Addr.IsValid() && !target.Addr.IsUnix() {
				target.Addr = s.servers[0].listener.Addr()
			}
			SetTarget(s.backend.Servers()[0], &target)
			s.client().got("", "EOF")
			s.line(`f b/s1 0/-1/0 0 ` + test.letter + ` 1/1/0/0/0 0/0`)
			for _, id := range []stats.ID{stats.ConnectRefused, stats.ConnectUnreached, stats.ConnectLocal, stats.ConnectReset, stats.ConnectTimeouts} {
				want := 0
				if id == test.count {
					want = 1
				}
				s.counts(s.backend.Stats, id, want)
			}
			s.over()
		})
	}
}

// A SOCKS4 proxy's answer may come in pieces, and payload right behind it; its refusal is a refused connect.
func TestSOCKS4(t *testing.T) {
	start := func() (*script, *peer, *peer) {
		s := newScript(t, scriptProxy(&config.Server{}))
		SetTarget(s.backend.Servers()[0], &Target{Addr: poller.IP(mustAddrPort("192.0.2.9:443")), SOCKS4: s.servers[0].listener.Addr()})
		client, server := s.flow()
		client.send("question")
		have, _ := server.read()
		if want := "\x04\x01\x01\xbb\xc0\x00\x02\x09"; len(have) < 9 || have[:8] != want || have[len(have)-1] != 0 {
			t.Fatalf("the request is %q", have)
		}
		return s, client, server
	}
	s, client, server := start()
	server.send("\x00\x5a\x00")
	server.silent()
	server.send("\x00\x00\x00\x00\x00greeting")
	client.got("greeting", "")
	server.got("question", "")
	client.reset()
	s.line(`f b/s1 0/0/0 8 CD 1/1/0/0/0 0/0`)
	s.over()

	s, client, server = start()
	server.send("\x00\x5b\x00\x00\x00\x00\x00\x00")
	client.got("", "EOF")
	s.line(`f b/s1 0/-1/0 0 SC 1/1/0/0/0 0/0`)
	s.counts(s.backend.Stats, stats.ConnectRefused, 1)
	s.over()

	s, client, server = start()
	server.close()
	client.got("", "EOF")
	s.line(`f b/s1 0/-1/0 0 SC 1/1/0/0/0 0/0`)
	s.counts(s.backend.Stats, stats.ConnectReset, 1)
	s.over()

	s, client, _ = start()
	s.pass(5 * time.Second) // timeout connect covers it
	client.got("", "EOF")
	s.line(`f b/s1 0/-1/5000 0 sC 1/1/0/0/0 0/0`)
	s.counts(s.backend.Stats, stats.ConnectTimeouts, 1)
	s.over()
}
