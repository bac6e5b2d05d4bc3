package flow

import (
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// A server that goes down takes its established flows with it, where that is asked for; who waits, connects, or has another
// server stays. A backup's flows end when the active server is back.
func TestShutServers(t *testing.T) {
	for _, most := range []int{1, 2, 2048} {
		defer func(n int) { perTurn = n }(perTurn)
		perTurn = most
		p := scriptProxy(
			&config.Server{OnMarkedDown: "shutdown-sessions", OnMarkedUp: "shutdown-backup-sessions", MaxConn: 3},
			&config.Server{Backup: true})
		s := newScript(t, p)
		s.backend.Sessions = s.process
		a, x := s.backend.Servers()[0], s.backend.Servers()[1]
		var clients, servers []*peer
		for range 3 {
			client, server := s.flow()
			clients, servers = append(clients, client), append(servers, server)
		}
		clients[0].send("half")
		waiting := s.client() // for any server: the backup takes it
		s.pass(7 * time.Millisecond)
		a.SetHealth(backend.HealthDown)
		if most == 1 {
			clients[1].reset() // it leaves while the loop walks
			s.settle()
		}
		s.settle()
		for i, c := range clients {
			if i == 1 && most == 1 {
				continue
			}
			c.got("", "EOF")
			servers[i].read()
		}
		kept := s.servers[1].accept()
		kept.send("still here")
		waiting.got("still here", "")
		if most != 1 {
			s.counts(s.frontend.Stats, stats.ServerDown, 3, stats.BackupLeft, 0)
			s.counts(a.Stats, stats.ServerDown, 3)
			for range 3 {
				s.line(`f b/s1 0/0/7 \d D- .*`)
			}
		}
		a.SetHealth(backend.HealthUp)
		s.settle()
		waiting.got("", "EOF")
		s.counts(s.frontend.Stats, stats.BackupLeft, 1)
		s.counts(x.Stats, stats.BackupLeft, 1)
		if most != 1 {
			s.line(`f b/s2 \d+/0/\d+ 10 U- .*`)
		}
		s.over()
		if s.loop.shutter.posted || s.loop.shutter.walking != nil {
			t.Error("the shutter is not at rest")
		}
	}
}

// A flow that has not reached its server is left to its retries: the server that went down while it connects does not end it.
func TestShutServerWhileConnecting(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{OnMarkedDown: "shutdown-sessions"}, &config.Server{Backup: true}))
	s.backend.Sessions = s.process
	s.backend.Retries, s.backend.RedispatchEvery = 3, -1
	end := s.servers[0].blackHole()
	client := s.client()
	client.send("x")
	s.backend.Servers()[0].SetHealth(backend.HealthDown)
	s.settle()
	client.silent()
	end()
	s.counts(s.frontend.Stats, stats.ServerDown, 0)
	client.reset()
	s.over()
}

// Every connect is counted for a server that is observed: those that fail at its side as failures, in a row.
func TestObserve(t *testing.T) {
	check := config.Check{Enabled: true, Rise: 2, Fall: 3}
	s := newScript(t, scriptProxy(&config.Server{Observe: "layer4", ErrorLimit: 3, OnError: "mark-down", Check: check}))
	server := s.backend.Servers()[0]
	try := func() {
		client := s.client()
		client.reset()
	}
	s.servers[0].down()
	try()
	try()
	s.servers[0].up()
	client, end := s.flow() // begins the count anew
	client.reset()
	end.close()
	s.servers[0].down()
	try()
	try()
	if st := server.Status(); st.ObservedFailures != 0 || !server.Usable() {
		t.Errorf("after two in a row it is %s", st)
	}
	try()
	if st := server.Status(); st.ObservedFailures != 1 || st.Text != "DOWN" || st.Check.Status != backend.CheckObserved {
		t.Errorf("after three in a row it is %s by %s", st, st.Check.Status.Name())
	}
	s.over()
}

// Ending a flow costs far more than looking at one: a turn ends a few, and the loop's other flows go on in between.
func TestShutServerInTurns(t *testing.T) {
	defer func(n int) { endsPerTurn = n }(endsPerTurn)
	endsPerTurn = 2
	s := newScript(t, scriptProxy(&config.Server{OnMarkedDown: "shutdown-sessions"}))
	var clients []*peer
	for range 3 {
		client, _ := s.flow()
		clients = append(clients, client)
	}
	h := &s.loop.shutter
	h.pending, h.posted = map[*backend.Server]byte{s.backend.Servers()[0]: 'D'}, true
	h.Deliver(nil)
	s.counts(s.frontend.Stats, stats.ServerDown, 2)
	s.settle()
	s.counts(s.frontend.Stats, stats.ServerDown, 3)
	for _, c := range clients {
		c.got("", "EOF")
	}
	s.over()
}
