package flow

import (
	"runtime"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

func oneSlot() *config.Proxy { return scriptProxy(&config.Server{MaxConn: 1}) }

// A full server's flows wait without a turn of their own, and go on in their order when a slot is free.
func TestQueueForwards(t *testing.T) {
	s := newScript(t, oneSlot())
	first, server := s.flow()
	second, third := s.client(), s.client()
	third.send("3")
	second.send("2")
	s.servers[0].none()
	s.pass(1500 * time.Millisecond)
	first.close()
	server.got("", "EOF")
	server.close()
	s.settle()
	s.line(`f b/s1 0/0/1500 0 -- 3/3/2/1/0 0/0`) // the slot is the next one's already
	server = s.servers[0].accept()
	server.got("2", "")
	s.pass(time.Second)
	server.close()
	second.got("", "EOF")
	second.close()
	s.settle()
	s.line(`f b/s1 1500/0/2500 0 -- 2/2/1/1/0 0/1`)
	server = s.servers[0].accept()
	server.got("3", "")
	third.close()
	server.got("", "EOF")
	server.close()
	s.settle()
	s.line(`f b/s1 2500/0/2500 0 -- 1/1/0/0/0 0/2`)
	s.over()
	s.counts(s.backend.Stats, stats.Queued, 2, stats.QueueTimeouts, 0)
	if _, n, sum := s.backend.Waited.Sum(); n != 2 || sum != 4_000_000 {
		t.Errorf("%d waits of together %d µs", n, sum)
	}
}

func TestQueueTimeout(t *testing.T) {
	for _, test := range []struct {
		name           string
		queue, connect uint64
		want           time.Duration
	}{{"timeout queue", 3000, 5000, 3 * time.Second}, {"timeout connect stands in", 0, 5000, 5 * time.Second}} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, oneSlot())
			s.backend.Timeouts.Queue, s.backend.Timeouts.Connect = test.queue, test.connect
			first, _ := s.flow()
			s.pass(time.Second)
			late := s.client()
			s.pass(test.want - time.Millisecond)
			late.silent()
			s.pass(time.Millisecond)
			late.got("", "EOF")
			ms := `(3000|5000)`
			s.line(`f b/<NOSRV> ` + ms + `/-1/` + ms + ` 0 sQ 2/2/1/0/0 0/1`)
			s.counts(s.backend.Stats, stats.QueueTimeouts, 1, stats.Queued, 1)
			first.silent()
			first.reset()
			s.servers[0].none()
			s.over()
		})
	}
}

// A timeout that runs out while the grant is on its way: the flow ends, and the slot goes on to the next.
func TestGrantCrossesTimeout(t *testing.T) {
	s := newScript(t, oneSlot())
	s.backend.Timeouts = Timeouts{Queue: 10_000, Server: 10_000, Connect: 20_000}
	s.frontend.ClientTimeout = 0
	first, _ := s.flow() // its timer comes before
	crossed := s.client()
	s.now++ // the next one's time comes a millisecond later
	last := s.client()
	s.now--
	s.now += 10 * time.Second
	s.loop.Turn() // the first times out and frees its slot for the second, whose time is over in the same turn
	if s.loop.count != 2 || s.backend.Servers()[0].Served() != 1 {
		t.Fatalf("%d flows, %d slots: the grant did not cross", s.loop.count, s.backend.Servers()[0].Served())
	}
	first.got("", "EOF")
	crossed.got("", "EOF")
	last.send("x")
	s.line(`f b/s1 0/0/10000 0 sD .*`)
	s.line(`f b/<NOSRV> 10000/-1/10000 0 sQ .*`)
	s.counts(s.backend.Stats, stats.QueueTimeouts, 1, stats.Sessions, 3)
	s.counts(s.backend.Servers()[0].Stats, stats.QueueTimeouts, 0)
	server := s.servers[0].accept()
	server.got("x", "")
	last.reset()
	s.over()
}

// What a client does while its flow waits: the wait is for a slot, for the connect, or for the next try.
func TestClientWhileWaiting(t *testing.T) {
	stages := []struct {
		name   string
		letter string
		begin  func(t *testing.T) (*script, *peer, func()) // the last lets the flow go on
	}{
		{"queued", "Q", func(t *testing.T) (*script, *peer, func()) {
			s := newScript(t, oneSlot())
			first, server := s.flow()
			return s, s.client(), func() { first.close(); server.close() }
		}},
		{"connecting", "C", func(t *testing.T) (*script, *peer, func()) {
			s := newScript(t, scriptProxy(&config.Server{}))
			goOn := s.servers[0].blackHole()
			return s, s.client(), goOn
		}},
		{"pausing", "C", func(t *testing.T) (*script, *peer, func()) {
			s := newScript(t, scriptProxy(&config.Server{}))
			s.backend.Retries = 3
			s.servers[0].down()
			c := s.client()
			s.settle()
			return s, c, func() { s.servers[0].up(); s.pass(time.Second) }
		}},
	}
	for _, stage := range stages {
		for _, abort := range []bool{false, true} {
			for _, act := range []struct {
				name string
				do   func(*peer)
				gone bool // ends the flow without abortonclose
			}{
				{"resets", (*peer).reset, true},
				{"sends and resets", func(c *peer) { c.send("x"); c.reset() }, true},
				{"half-closes", func(c *peer) { c.send("x"); c.finish() }, false},
			} {
				name := stage.name + " " + act.name
				if abort {
					name += " with abortonclose"
				}
				t.Run(name, func(t *testing.T) {
					s, c, goOn := stage.begin(t)
					s.backend.AbortOnClose = abort
					s.settle()
					before := s.loop.count
					act.do(c)
					s.settle()
					if act.gone || abort {
						if s.loop.count != before-1 {
							t.Fatalf("%d flows", s.loop.count)
						}
						s.counts(s.frontend.Stats, stats.ClientAborts, 1)
						s.line(`f b/\S+ \d+/-1/\d+ 0 C` + stage.letter + ` .*`)
						goOn()
					} else {
						if s.loop.count != before {
							t.Fatalf("%d flows", s.loop.count)
						}
						goOn()
						server := s.servers[0].acceptWith("x")
						server.got("", "EOF")
						server.send("y")
						server.close()
						c.got("y", "EOF")
						s.counts(s.frontend.Stats, stats.ClientAborts, 0)
					}
					s.settle()
					s.over()
				})
			}
		}
	}
}

// A client that has sent nothing and closes while it waits for a slot has left: there is no request to serve.
func TestSilentClientLeavesQueue(t *testing.T) {
	s := newScript(t, oneSlot())
	first, _ := s.flow()
	c := s.client()
	c.close()
	s.settle()
	s.line(`f b/<NOSRV> 0/-1/0 0 CQ 2/2/1/0/0 0/1`)
	s.counts(s.frontend.Stats, stats.ClientAborts, 1)
	first.reset()
	s.over()
}

// A flow whose server goes into maintenance while it waits there finds another, and is told if there is none.
func TestSentBack(t *testing.T) {
	p := scriptProxy(&config.Server{MaxConn: 1}, &config.Server{MaxConn: 1})
	p.Balance.Algorithm = config.SourceHash
	s := newScript(t, p)
	s.client()
	s.settle()
	at := 0
	if s.backend.Servers()[1].Served() == 1 {
		at = 1
	}
	other := s.servers[1-at]
	w := []*peer{s.client(), s.client(), s.client()}
	other.none()
	s.pass(time.Second)
	s.backend.Servers()[at].SetMaintenance(true)
	server := other.accept()
	w[0].send("x")
	server.got("x", "")
	s.pass(time.Second)
	s.backend.Servers()[1-at].SetMaintenance(true)
	for _, c := range w[1:] {
		c.got("", "EOF")
		s.line(`f b/<NOSRV> \d+/-1/2000 0 SC .*`)
	}
	s.counts(s.backend.Stats, stats.Queued, 3, stats.NoServer, 2)
	w[0].close()
	server.close()
	s.settle()
	if s.loop.count != 1 {
		t.Errorf("%d flows", s.loop.count)
	}
}

// The time of a flow that is sent back and waits again runs on.
func TestSentBackKeepsItsTime(t *testing.T) {
	p := scriptProxy(&config.Server{MaxConn: 1}, &config.Server{MaxConn: 1})
	p.Balance.Algorithm = config.SourceHash
	s := newScript(t, p)
	s.backend.Timeouts.Queue = 5000
	s.client()
	at := 0
	if s.backend.Servers()[1].Served() == 1 {
		at = 1
	}
	a, b := s.client(), s.client()
	s.pass(4 * time.Second)
	s.backend.Servers()[at].SetMaintenance(true) // one gets the other server, one waits there
	s.settle()
	s.counts(s.backend.Stats, stats.Sessions, 2)
	s.pass(time.Second - time.Millisecond)
	b.silent()
	s.pass(time.Millisecond)
	b.got("", "EOF")
	a.silent()
	s.line(`f b/<NOSRV> 5000/-1/5000 0 sQ .*`)
	s.counts(s.backend.Servers()[1-at].Stats, stats.QueueTimeouts, 1)
	s.counts(s.backend.Servers()[at].Stats, stats.QueueTimeouts, 0)
}

// A flow that gives up while another loop grants it a slot looks at nothing that the other writes. (What fails here is the
// race detector.)
func TestForeignGrantCrosses(t *testing.T) {
	s := newScript(t, oneSlot())
	s.backend.Timeouts.Queue = 1000
	holder := &backend.Request{Waiter: unasked{}}
	if s.backend.Admit(holder) != backend.Granted {
		t.Fatal("not granted")
	}
	timer := poller.Timer{Owner: expirer(func() {
		go s.backend.Release(holder)
		for s.backend.Queued() != 0 { // it is taken out before the other writes; no more order than that
			runtime.Gosched()
		}
		time.Sleep(time.Millisecond)
	})}
	s.loop.Arm(&timer, s.loop.Milliseconds()+1000) // before the flow's, at the same time
	c := s.client()
	s.pass(time.Second)
	c.got("", "EOF")
	s.line(`f b/<NOSRV> 1000/-1/1000 0 sQ 1/1/1/0/0 0/0`)
	s.over()
	s.counts(s.backend.Stats, stats.QueueTimeouts, 1, stats.Sessions, 2)
}

type expirer func()

func (e expirer) Expired(*poller.Timer) { e() }

type unasked struct{}

func (unasked) Granted() {}
