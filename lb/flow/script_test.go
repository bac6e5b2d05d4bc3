package flow

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/poller"
)

// script is a balancer on one loop, turned by the test's own goroutine, with a clock that only the test moves. Clients and
// servers are sockets in the test's hands, which nothing watches: they do what a line of the test says, and nothing else.
type script struct {
	t        *testing.T
	now      time.Duration
	loop     *Loop
	process  *Process
	frontend *Frontend
	bind     *Bind
	acceptor *Acceptor
	backend  *Backend
	addr     poller.Addr
	peers    *poller.Loop // never turned: it lends its calls to the test's sockets
	servers  []*scriptServer
	log      net.PacketConn
	alerts   []string
}

// scriptServer is where connections to one server arrive.
type scriptServer struct {
	s        *script
	index    int
	listener *poller.Listener
	watch    *poller.Acceptor
}

// peer is a client, or a server's end of a connection.
type peer struct {
	poller.Socket
	s    *script
	name string
}

type nobody struct{}

func (nobody) Ready(poller.Events) {}

var mustAddrPort = netip.MustParseAddrPort

var loopback = poller.IP(netip.MustParseAddrPort("127.0.0.1:0"))

// scriptProxy is a backend of the given servers.
func scriptProxy(servers ...*config.Server) *config.Proxy {
	p := &config.Proxy{Name: "b", Kind: config.Backend, Servers: servers}
	for i, s := range servers {
		s.ID, s.Name, s.Weight, s.TOS, s.MinConn = i+1, fmt.Sprint("s", i+1), 1, -1, s.MaxConn
	}
	return p
}

// newScript starts a balancer in front of p's servers. change may alter it before it accepts.
func newScript(t *testing.T, p *config.Proxy, change ...func(*script)) *script {
	t.Helper()
	s := &script{t: t, now: time.Hour}
	fatal := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	l, err := poller.NewLoop(poller.Options{BusyPoll: true, Now: func() time.Duration { return s.now }})
	fatal(err)
	s.peers, err = poller.NewLoop(poller.Options{BufferSize: 1 << 20})
	fatal(err)
	s.process = &Process{MaxConn: math.MaxInt64, Alert: func(text string) { s.alerts = append(s.alerts, text) }}
	s.loop = NewLoop(s.process, l)
	servers, err := backend.New(p, 0, 1)
	fatal(err)
	s.backend = &Backend{Backend: servers, Timeouts: Timeouts{Connect: 5_000, Server: 60_000}}
	s.frontend = NewFrontend(s.process, "f", 1)
	s.frontend.Backend, s.frontend.MaxConn, s.frontend.ClientTimeout = s.backend, math.MaxInt64, 60_000
	s.log, err = net.ListenPacket("udp", "127.0.0.1:0")
	fatal(err)
	shipper := tcplog.NewShipper(1, tcplog.ShipperOptions{Interval: time.Millisecond})
	logger, err := shipper.Logger(tcplog.LoggerOptions{Targets: []tcplog.Target{{Network: "udp", Address: s.log.LocalAddr().String(), Format: "raw"}}})
	fatal(err)
	s.frontend.Log, s.frontend.Format, s.frontend.ErrorFormat = logger, tcplog.TCP, tcplog.Error
	for i := range p.Servers {
		v := &scriptServer{s: s, index: i}
		v.listener, err = poller.Listen(loopback, poller.ListenOptions{})
		fatal(err)
		v.watch, err = s.peers.Accepting(v.listener, nobody{})
		fatal(err)
		s.servers = append(s.servers, v)
		SetTarget(s.backend.Servers()[i], &Target{Addr: v.listener.Addr()})
	}
	clients, err := poller.Listen(loopback, poller.ListenOptions{})
	fatal(err)
	s.addr = clients.Addr()
	s.bind = &Bind{Frontend: s.frontend, Stats: stats.New(1), Name: "bind", ID: 1}
	for _, c := range change {
		c(s)
	}
	s.acceptor = NewAcceptor(s.loop, s.bind, clients)
	fatal(s.acceptor.Start())
	t.Cleanup(func() {
		shipper.Close(time.Second)
		s.log.Close()
		clients.Close()
		for _, v := range s.servers {
			v.listener.Close()
		}
	})
	return s
}

// until turns the loop until done.
func (s *script) until(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); {
		if s.loop.Turn(); time.Now().After(deadline) {
			s.t.Fatalf("in vain: %s", what)
		}
	}
}

// settle turns the loop until what is under way has arrived: loopback delivers within the call that sends.
func (s *script) settle() {
	for range 3 {
		for range 3 {
			s.loop.Turn()
		}
		runtime.Gosched()
	}
}

// pass moves the clock and lets what is due happen.
func (s *script) pass(d time.Duration) {
	s.now += d
	s.settle()
}

// dial connects a client. It stays in the backlog until the loop turns.
func (s *script) dial() *peer {
	s.t.Helper()
	c := &peer{s: s, name: "client"}
	if errno := s.peers.Connect(&c.Socket, s.addr, poller.Addr{}, &poller.ConnectOptions{}); errno != 0 && errno != poller.EINPROGRESS {
		s.t.Fatal(errno)
	}
	s.t.Cleanup(c.close)
	return c
}

// client connects a client and lets the balancer begin its flow.
func (s *script) client() *peer {
	s.t.Helper()
	c, before := s.dial(), s.frontend.Stats.Sum(stats.Connections)
	s.until("accept", func() bool { return s.frontend.Stats.Sum(stats.Connections) > before })
	s.settle()
	return c
}

// accept waits for the balancer's connection.
func (v *scriptServer) accept() *peer {
	v.s.t.Helper()
	c := &peer{s: v.s, name: "server"}
	v.s.until("a connection to the server", func() bool {
		_, errno := v.s.peers.Accept(v.watch, &c.Socket)
		return errno == 0
	})
	v.s.t.Cleanup(c.close)
	v.s.settle()
	return c
}

// none fails the test if there is a connection to v.
func (v *scriptServer) none() {
	v.s.t.Helper()
	v.s.settle()
	c := &peer{s: v.s}
	if _, errno := v.s.peers.Accept(v.watch, &c.Socket); errno == 0 {
		v.s.t.Error("a connection to the server")
		c.close()
	}
}

// flow connects a client with the first server.
func (s *script) flow() (client, server *peer) {
	s.t.Helper()
	client = s.client()
	return client, s.servers[0].accept()
}

func (p *peer) close() { p.s.peers.Close(&p.Socket) }

func (p *peer) reset() {
	p.Abort()
	p.close()
	p.s.settle()
}

func (p *peer) send(text string) {
	p.s.t.Helper()
	if n, errno := p.Send([]byte(text)); n != len(text) {
		p.s.t.Fatalf("%s: sent %d of %d: %v", p.name, n, len(text), errno)
	}
	p.s.settle()
}

func (p *peer) finish() {
	p.CloseWrite()
	p.s.settle()
}

// read takes what has arrived, and how it ended: "", "EOF" or an error.
func (p *peer) read() (text, end string) {
	var b strings.Builder
	for {
		n, errno := p.Recv(p.s.peers.Buffer())
		switch {
		case errno == poller.EAGAIN:
			return b.String(), ""
		case errno == poller.ECONNRESET:
			return b.String(), "reset"
		case errno != 0:
			return b.String(), errno.Error()
		case n == 0:
			return b.String(), "EOF"
		}
		b.Write(p.s.peers.Buffer()[:n])
	}
}

// got waits for the text and its end and fails the test if something else comes.
func (p *peer) got(text, end string) {
	p.s.t.Helper()
	have, how := "", ""
	for deadline := time.Now().Add(5 * time.Second); ; {
		more, e := p.read()
		have, how = have+more, e
		if len(have) >= len(text) && how == end || how != "" || time.Now().After(deadline) {
			break
		}
		p.s.settle()
	}
	if have != text || how != end {
		if len(have)+len(text) > 200 {
			have, text = fmt.Sprint(len(have), " bytes"), fmt.Sprint(len(text), " bytes")
		}
		p.s.t.Errorf("%s: got %q, %q; want %q, %q", p.name, have, how, text, end)
	}
}

// silent fails the test if anything has come.
func (p *peer) silent() {
	p.s.t.Helper()
	p.s.settle()
	p.got("", "")
}

// line waits for the next log line and fails the test unless it matches; "^" and "$" are added, and spaces are any text.
func (s *script) line(pattern string) {
	s.t.Helper()
	s.log.SetReadDeadline(time.Now().Add(5 * time.Second))
	b := make([]byte, 2000)
	n, _, err := s.log.ReadFrom(b)
	if err != nil {
		s.t.Errorf("no log line: %v", err)
		return
	}
	line := strings.TrimSpace(string(b[:n]))
	if !regexp.MustCompile(`^127\.0\.0\.1:\d+ \[[^]]+\] ` + pattern + `$`).MatchString(line) {
		s.t.Errorf("log line\n  %s\nwant\n  %s", line, pattern)
	}
}

// counts fails the test unless the set has these counters, in pairs of ID and value.
func (s *script) counts(c *stats.Counters, pairs ...any) {
	s.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		id, want := pairs[i].(stats.ID), uint64(pairs[i+1].(int))
		if got := c.Sum(id); got != want {
			s.t.Errorf("%s: %d, want %d", stats.Names[id], got, want)
		}
	}
}

// over fails the test unless all flows have ended and every place and slot was given back.
func (s *script) over() {
	s.t.Helper()
	for deadline := time.Now().Add(5 * time.Second); s.loop.count != 0 && time.Now().Before(deadline); {
		s.settle()
	}
	if s.loop.count != 0 || s.loop.flows != nil || s.loop.waiters != 0 {
		s.t.Errorf("%d flows are open, %d wait", s.loop.count, s.loop.waiters)
	}
	for what, n := range map[string]int64{
		"process": s.process.Flows.Value(), "frontend": s.frontend.Flows.Value(), "bind": s.bind.Flows.Value(), "backend": s.backend.Flows.Value(),
	} {
		if n != 0 {
			s.t.Errorf("the %s counts %d flows", what, n)
		}
	}
	for _, v := range s.backend.Servers() {
		if v.Served() != 0 || v.Queued() != 0 {
			s.t.Errorf("%s serves %d and has a queue of %d", v.Name, v.Served(), v.Queued())
		}
	}
	if s.backend.Queued() != 0 {
		s.t.Errorf("%d wait", s.backend.Queued())
	}
}

// blackHole makes connects to v hang: its backlog is full, and the kernel drops what comes. The function ends that.
func (v *scriptServer) blackHole() func() {
	v.s.t.Helper()
	v.relisten(poller.ListenOptions{Backlog: 1})
	var full []*peer
	for range 2 { // a backlog of 1 holds two (listen(2) and tcp_check_req's comparison)
		c := &peer{s: v.s}
		v.s.peers.Connect(&c.Socket, v.listener.Addr(), poller.Addr{}, &poller.ConnectOptions{})
		full = append(full, c)
	}
	return func() {
		for _, c := range full {
			taken := &peer{s: v.s}
			v.s.peers.Accept(v.watch, &taken.Socket)
			taken.close()
			c.close()
		}
	}
}

// down makes v refuse connections, up ends that.
func (v *scriptServer) down() {
	v.s.peers.Pause(v.watch)
	v.listener.Close()
}

func (v *scriptServer) up() { v.listen(poller.ListenOptions{}) }

func (v *scriptServer) relisten(o poller.ListenOptions) {
	v.down()
	v.listen(o)
}

func (v *scriptServer) listen(o poller.ListenOptions) {
	v.s.t.Helper()
	var err error
	if v.listener, err = poller.Listen(TargetOf(v.s.backend.Servers()[v.index]).Addr, o); err != nil {
		v.s.t.Fatal(err)
	}
	if v.watch, err = v.s.peers.Accepting(v.listener, nobody{}); err != nil {
		v.s.t.Fatal(err)
	}
}

// acceptWith takes connections until one brings the text.
func (v *scriptServer) acceptWith(text string) *peer {
	v.s.t.Helper()
	for {
		c := v.accept()
		have, _ := "", ""
		for range 3 {
			more, _ := c.read()
			have += more
			v.s.settle()
		}
		if have == text {
			return c
		}
		c.close()
	}
}
