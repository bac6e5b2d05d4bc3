package flow

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// noLine fails the test if there is another log line.
func (s *script) noLine() {
	s.t.Helper()
	s.settle()
	s.frontend.Log.Flow(0, tcplog.Info, fence, &tcplog.Record{}) // lines of one loop keep their order
	b := make([]byte, 2000)
	s.log.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, _, err := s.log.ReadFrom(b); err != nil || !strings.HasPrefix(string(b[:n]), "fence") {
		s.t.Errorf("a log line: %q, %v", b[:n], err)
	}
}

var fence = func() *tcplog.Format {
	f, err := tcplog.ParseFormat("fence", nil)
	if err != nil {
		panic(err)
	}
	return f
}()

func TestLogOptions(t *testing.T) {
	good := func(s *script) {
		client, server := s.flow()
		client.send("x")
		client.close()
		server.got("x", "EOF")
		server.close()
	}
	empty := func(s *script) {
		client, server := s.flow()
		client.close()
		server.close()
	}
	bad := func(s *script) {
		client, _ := s.flow()
		client.send("x")
		client.reset()
	}
	for _, test := range []struct {
		name  string
		set   func(*script)
		do    func(*script)
		lines []string
	}{
		{"plain", func(*script) {}, good, []string{`f b/s1 0/0/0 0 -- 1/1/0/0/0 0/0`}},
		{"no format", func(s *script) { s.frontend.Format = nil }, good, nil},
		{"dontlog-normal, normal", func(s *script) { s.frontend.DontLogNormal = true }, good, nil},
		{"dontlog-normal, reset", func(s *script) { s.frontend.DontLogNormal = true }, bad, []string{`f b/s1 .* CD .*`}},
		{"dontlognull, empty", func(s *script) { s.frontend.DontLogNull = true }, empty, nil},
		{"dontlognull, not empty", func(s *script) { s.frontend.DontLogNull = true }, good, []string{`f b/s1 .*`}},
		{"logasap", func(s *script) { s.frontend.LogASAP = true }, bad, []string{`f b/s1 0/0/\+0 \+0 -- 1/1/1/1/0 0/0`}},
		{"own format", func(s *script) {
			s.frontend.Format, _ = tcplog.ParseFormat("%ci:%cp [%t] %fi:%fp %bi:%bp %si:%sp %U %B %ts %rc", nil)
			s.frontend.LogFrontendAddr, s.frontend.LogBackendSource = true, true
		}, bad, []string{`127.0.0.1:\d+ 127.0.0.1:\d+ 127.0.0.1:\d+ 1 0 CD 0`}},
		{"default format", func(s *script) { s.frontend.ConnectFormat, s.frontend.Format = tcplog.TCP, nil }, bad, []string{`f b/<NOSRV> -1/-1/0 0 -- 1/1/0/0/0 0/0`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, scriptProxy(&config.Server{}), test.set)
			test.do(s)
			s.over()
			for _, line := range test.lines {
				s.line(line)
			}
			s.noLine()
		})
	}
}

// The counts of the line include what was there at the time, and the retries' sign.
func TestLogCounts(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	var clients []*peer
	for range 3 {
		clients = append(clients, s.client())
	}
	clients[1].reset()
	s.line(`f b/s1 0/0/0 0 CD 3/3/2/2/0 0/0`)
	clients[0].reset()
	s.line(`f b/s1 0/0/0 0 CD 2/2/1/1/0 0/0`)
	clients[2].reset()
	s.line(`f b/s1 0/0/0 0 CD 1/1/0/0/0 0/0`)
	s.over()
}

// A flow keeps the number that it began with, whichever ends first.
func TestLogNumbers(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}), func(s *script) {
		s.frontend.Format, _ = tcplog.ParseFormat("%ci:%cp [%t] %rt %lc", nil)
	})
	first, second := s.client(), s.client()
	second.reset()
	s.line("1 0")
	first.reset()
	s.line("0 1")
	s.over()
}

// "option contstats" counts while a flow lasts, once a second; otherwise its end does. No byte is counted twice.
func TestContStats(t *testing.T) {
	for _, on := range []bool{false, true} {
		s := newScript(t, scriptProxy(&config.Server{}))
		s.frontend.ContStats = on
		client, server := s.flow()
		s.pass(2 * time.Second)
		client.send("12345")
		server.got("12345", "")
		want := 0
		if on {
			want = 5
		}
		s.counts(s.frontend.Stats, stats.BytesIn, want)
		client.send("67")
		s.counts(s.frontend.Stats, stats.BytesIn, want)
		client.reset()
		for _, c := range []*stats.Counters{s.frontend.Stats, s.bind.Stats, s.backend.Stats, s.backend.Servers()[0].Stats} {
			s.counts(c, stats.BytesIn, 7)
		}
		s.over()
	}
}

// "option nolinger" resets where a FIN would have left a TIME_WAIT.
func TestNoLinger(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	s.backend.NoLinger = true
	client, server := s.flow()
	client.send("x")
	client.finish()
	have := ""
	end := ""
	for deadline := time.Now().Add(5 * time.Second); end == "" && time.Now().Before(deadline); s.settle() {
		more, e := server.read()
		have, end = have+more, e
	}
	if end != "reset" {
		t.Errorf("the server's end is %q after %q", end, have)
	}
	client.got("", "EOF")
	s.over()
}

// "dispatch" has no server: the flow goes to its address, and the log says so.
func TestDirect(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{Disabled: true}))
	s.backend.Direct = &Target{Addr: s.servers[0].listener.Addr()}
	client, server := s.flow()
	client.send("x")
	server.got("x", "")
	client.reset()
	s.line(`f b/<NOSRV> 0/0/0 0 CD 1/1/0/0/0 0/0`)
	s.over()
	s.backend.Retries = 2
	s.servers[0].down()
	client = s.client()
	s.pass(time.Second)
	s.pass(time.Second)
	client.got("", "EOF")
	s.line(`f b/<NOSRV> 0/-1/2000 0 SC 1/1/0/0/2 0/0`)
	s.over()
}

// A direction is copied until it is bulk, spliced then, and copied again when it has been small or idle for a while.
func TestAdaptiveSplice(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.process.IdleTimer = time.Second })
	client, server := s.flow()
	bulk := func() {
		for range 12 {
			rest := strings.Repeat("x", 256<<10)
			for rest != "" {
				n, _ := client.Send([]byte(rest))
				rest = rest[max(n, 0):]
				s.settle()
				server.read()
			}
		}
	}
	spliced := func() uint64 { return s.frontend.Stats.Sum(stats.Spliced) }
	for range 20 {
		client.send("small")
		server.got("small", "")
	}
	if spliced() != 0 {
		t.Error("small messages were spliced")
	}
	bulk()
	first := spliced()
	if first == 0 {
		t.Error("bulk was not spliced")
	}
	for range 2 * smallSplices {
		client.send("small")
		server.got("small", "")
	}
	second := spliced()
	if second-first > smallSplices*5 {
		t.Errorf("%d bytes of small messages were spliced", second-first)
	}
	client.send("small")
	server.got("small", "")
	if spliced() != second {
		t.Error("small messages are still spliced")
	}
	bulk()
	if spliced() == second {
		t.Error("the second bulk was not spliced")
	}
	second = spliced()
	s.pass(2 * time.Second)
	client.send("small")
	server.got("small", "")
	s.pass(time.Millisecond)
	client.send("small")
	server.got("small", "")
	if n := spliced() - second; n > 5 {
		t.Errorf("%d bytes were spliced after the direction was idle", n)
	}
	client.reset()
	s.over()

	s = newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.process.NoSplice, s.frontend.SpliceRequest = true, true })
	client, server = s.flow()
	bulk()
	if spliced() != 0 {
		t.Error("nosplice does not hold")
	}
	client.reset()
	s.over()
}
