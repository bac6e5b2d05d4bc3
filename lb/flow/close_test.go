package flow

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Each direction ends by itself; the flow is over when both have.
func TestHalfClose(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	client, server := s.flow()
	client.send("question")
	client.finish()
	server.got("question", "EOF")
	s.pass(30 * time.Second)
	server.send("late answer")
	client.got("late answer", "")
	server.close()
	client.got("", "EOF")
	s.line(`f b/s1 0/0/30000 11 -- 1/1/0/0/0 0/0`)
	s.over()

	client, server = s.flow()
	server.send("greeting")
	server.finish()
	client.got("greeting", "EOF")
	client.send("thanks")
	server.got("thanks", "")
	client.close()
	server.got("", "EOF")
	s.line(`f b/s1 0/0/0 8 -- 1/1/0/0/0 0/0`)
	s.over()
	s.counts(s.frontend.Stats, stats.Connections, 2, stats.Sessions, 2, stats.BytesIn, 14, stats.BytesOut, 19,
		stats.ClientAborts, 0, stats.ServerAborts, 0)
	s.counts(s.backend.Servers()[0].Stats, stats.Connections, 2, stats.Sessions, 2, stats.BytesIn, 14, stats.BytesOut, 19)
}

// Ends and bytes that arrive in one event are passed on in their order.
func TestAllAtOnce(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	client := s.dial()
	client.Send([]byte("question"))
	client.CloseWrite()
	server := s.servers[0].accept()
	server.got("question", "EOF")
	server.Send([]byte("answer"))
	server.close()
	s.settle()
	client.got("answer", "EOF")
	s.line(`f b/s1 0/0/0 6 -- 1/1/0/0/0 0/0`)
	s.over()
}

func TestServerResets(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	client, server := s.flow()
	server.reset() // before any byte
	client.got("", "EOF")
	s.line(`f b/s1 0/0/0 0 SD 1/1/0/0/0 0/0`)
	s.over()

	client, server = s.flow()
	client.send("question")
	server.got("question", "")
	server.send("half an ans")
	server.reset()
	client.got("half an ans", "EOF")
	s.line(`f b/s1 0/0/0 11 SD 1/1/0/0/0 0/0`)
	s.over()

	client, server = s.flow()
	server.Send([]byte("last words")) // still unread by the balancer when the reset comes
	server.Abort()
	server.close()
	s.settle()
	client.got("last words", "EOF")
	s.line(`f b/s1 0/0/0 10 SD 1/1/0/0/0 0/0`)
	s.over()
	s.counts(s.frontend.Stats, stats.ServerAborts, 3, stats.ClientAborts, 0)
	s.counts(s.backend.Servers()[0].Stats, stats.ServerAborts, 3)
}

func TestClientResets(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}))
	client, server := s.flow()
	client.send("question")
	client.reset()
	server.got("question", "EOF")
	s.line(`f b/s1 0/0/0 0 CD 1/1/0/0/0 0/0`)
	s.over()
	s.counts(s.frontend.Stats, stats.ClientAborts, 1, stats.ServerAborts, 0)
}

// What a slow client has not taken yet when the server resets is delivered before the close, copied or spliced.
func TestHeldBackIsDelivered(t *testing.T) {
	for _, spliced := range []bool{false, true} {
		s := newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.frontend.SpliceResponse = spliced; s.process.NoSplice = !spliced })
		client, server := s.flow()
		// The client's window and both kernels' buffers fill until the balancer holds bytes back.
		chunk, sent := strings.Repeat("0123456789abcdef", 4096), 0
		for range 2000 {
			n, errno := server.Send([]byte(chunk[sent%16:]))
			if errno != 0 {
				break
			}
			sent += n
			s.settle()
		}
		f := s.loop.flows
		if !f.client.blocked || f.client.held == nil && f.server.pipe == nil {
			t.Fatalf("spliced %v: nothing is held back after %d bytes", spliced, sent)
		}
		if spliced != (f.server.pipe != nil) {
			t.Errorf("spliced %v: pipe %v", spliced, f.server.pipe)
		}
		server.Abort()
		server.close()
		s.settle()
		if s.loop.count != 1 {
			t.Fatalf("spliced %v: the flow is over while bytes are held", spliced)
		}
		total := 0
		for deadline := time.Now().Add(10 * time.Second); ; {
			text, end := client.read()
			for i := range text {
				if text[i] != chunk[(total+i)%16] {
					t.Fatalf("spliced %v: byte %d is wrong", spliced, total+i)
				}
			}
			total += len(text)
			if end != "" {
				if end != "EOF" {
					t.Errorf("spliced %v: the end is %s", spliced, end)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("spliced %v: no end after %d of %d bytes", spliced, total, sent)
			}
			s.settle()
		}
		// What the server's kernel had not delivered is lost with its reset; what had reached us is not.
		s.over()
		if got := s.frontend.Stats.Sum(stats.BytesOut); uint64(total) != got || total == 0 {
			t.Errorf("spliced %v: %d of %d bytes arrived", spliced, total, got)
		}
		if n := s.frontend.Stats.Sum(stats.Spliced); spliced != (n > 0) {
			t.Errorf("spliced %v: %d bytes were spliced", spliced, n)
		}
		s.line(`f b/s1 0/0/0 \d+ SD 1/1/0/0/0 0/0`)
	}
}

// A pipe that the other side drains in part keeps its bytes in order, and more follows.
func TestPartialDrain(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.frontend.SpliceRequest = true })
	client, server := s.flow()
	var sent, got strings.Builder
	chunk := strings.Repeat("x", 50_000)
	for i := range 400 {
		b := []byte(string(rune('a'+i%26)) + chunk)
		n, _ := client.Send(b)
		sent.Write(b[:max(n, 0)])
		s.settle()
		if i%3 == 0 {
			n, _ := server.Recv(s.peers.Buffer()[:10_007])
			got.Write(s.peers.Buffer()[:max(n, 0)])
		}
	}
	if f := s.loop.flows; !f.server.blocked || f.client.pipe == nil {
		t.Fatal("the pipe is not in use")
	}
	client.finish()
	for end := ""; end == ""; {
		var text string
		text, end = server.read()
		got.WriteString(text)
		s.settle()
	}
	if got.String() != sent.String() {
		t.Errorf("%d bytes arrived of %d, or others", got.Len(), sent.Len())
	}
	server.close()
	s.over()
}

// The process's stop cuts flows in every stage, and a grant that was on its way to one of them goes to nobody.
func TestCut(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{MaxConn: 1}))
	first, server := s.flow()
	second, third := s.client(), s.client()
	s.loop.Cut()
	s.settle()
	for _, c := range []*peer{first, second, third, server} {
		c.got("", "EOF")
	}
	s.over()
	s.counts(s.frontend.Stats, stats.Killed, 3)
	for range 3 {
		s.line(`f b/\S+ -?\d+/-?\d+/\d+ 0 K[DQ] .*`)
	}
}

// A flow that has given up while its grant was on its way is not cut a second time.
func TestCutAfterCrossing(t *testing.T) {
	s := newScript(t, scriptProxy(&config.Server{MaxConn: 1}))
	first, _ := s.flow()
	second := s.client()
	s.loop.Cut() // delivered in the turn in which both clients are found to have left
	for _, c := range []*peer{first, second} {
		c.Abort()
		c.close()
	}
	s.over()
	s.counts(s.frontend.Stats, stats.Killed, 0, stats.ClientAborts, 2)
}

// Out-of-band data need not survive, but it does not keep what follows it: reads stop short at its mark.
func TestUrgentData(t *testing.T) {
	for _, test := range []struct {
		name    string
		spliced bool
		then    func(*peer)
		end     string
	}{
		{"copied", false, func(*peer) {}, ""},
		{"copied, with the end", false, func(c *peer) { c.CloseWrite() }, "EOF"},
		{"spliced", true, func(*peer) {}, ""},
		{"spliced, with the end", true, func(c *peer) { c.CloseWrite() }, "EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, scriptProxy(&config.Server{}), func(s *script) { s.frontend.SpliceRequest = test.spliced })
			client, server := s.flow()
			client.send("begin ")
			client.Send([]byte("before "))
			if _, err := syscall.SendmsgN(client.FD(), []byte("!"), nil, nil, syscall.MSG_OOB); err != nil {
				t.Fatal(err)
			}
			client.Send([]byte("after"))
			test.then(client)
			server.got("begin before after", test.end)
			client.reset()
			server.close()
			s.over()
		})
	}
}
