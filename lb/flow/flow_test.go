package flow

import (
	"math"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/poller"
)

// bench is a balancer, its origin and its clients, all on one loop in one goroutine, so that what a flow costs can be
// measured without anybody else's allocations.
type bench struct {
	t        testing.TB
	poller   *poller.Loop
	loop     *Loop
	frontend *Frontend
	backend  *Backend
	addr     poller.Addr
	origin   *origin
}

// origin echoes and closes when its client does. Its connections are recycled.
type origin struct {
	loop  *poller.Loop
	watch *poller.Acceptor
	free  *originConn
	open  int
}

type originConn struct {
	poller.Socket
	origin *origin
	next   *originConn
}

func (o *origin) Ready(poller.Events) {
	for {
		if o.free == nil {
			o.free = &originConn{origin: o}
		}
		c := o.free
		if _, errno := o.loop.Accept(o.watch, &c.Socket); errno != 0 {
			return
		}
		o.free, c.next = c.next, nil
		o.open++
		o.loop.Watch(&c.Socket, c)
	}
}

func (c *originConn) Ready(poller.Events) {
	o := c.origin
	for {
		n, errno := c.Recv(o.loop.Buffer())
		switch {
		case errno == poller.EAGAIN:
			return
		case errno != 0 || n == 0:
			o.loop.Close(&c.Socket)
			c.next, o.free = o.free, c
			o.open--
			return
		}
		c.Send(o.loop.Buffer()[:n])
	}
}

// client sends a request, reads the echo, and closes, as often as it is told.
type client struct {
	poller.Socket
	bench   *bench
	request []byte
	sent    int
	got     int
	left    int  // flows to go
	keep    bool // stay open after the first echo
	done    bool
}

func (c *client) start() {
	c.got, c.done = 0, false
	if errno := c.bench.poller.Connect(&c.Socket, c.bench.addr, poller.Addr{}, &poller.ConnectOptions{}); errno != 0 && errno != poller.EINPROGRESS {
		c.bench.t.Fatal(errno)
	}
	c.bench.poller.Watch(&c.Socket, c)
	c.sent = 0
	c.send()
}

func (c *client) send() {
	if n, errno := c.Send(c.request[c.sent:]); errno == 0 {
		c.sent += n
	}
}

func (c *client) Ready(poller.Events) {
	if c.done {
		return
	}
	if c.sent < len(c.request) {
		c.send()
	}
	l := c.bench.poller
	for c.got < len(c.request) {
		n, errno := c.Recv(l.Buffer())
		if errno == poller.EAGAIN {
			return
		}
		if errno != 0 || n == 0 {
			c.bench.t.Fatalf("client: %d bytes, %v", n, errno)
		}
		c.got += n
	}
	if c.keep {
		c.done = true
		return
	}
	c.Abort() // no TIME_WAIT
	l.Close(&c.Socket)
	if c.left--; c.left > 0 {
		c.start()
	} else {
		c.done = true
	}
}

func newBench(t testing.TB, proxy *config.Proxy) *bench {
	l, err := poller.NewLoop(poller.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, poller: l, origin: &origin{loop: l}}
	process := &Process{MaxConn: math.MaxInt64}
	b.loop = NewLoop(process, l)
	servers, err := backend.New(proxy, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	b.backend = &Backend{Backend: servers, Timeouts: Timeouts{Connect: 1000, Server: 60_000}}
	b.frontend = NewFrontend(process, "f", 1)
	b.frontend.Backend, b.frontend.MaxConn, b.frontend.ClientTimeout = b.backend, math.MaxInt64, 60_000
	shipper := tcplog.NewShipper(1, tcplog.ShipperOptions{})
	logger, err := shipper.Logger(tcplog.LoggerOptions{Targets: []tcplog.Target{{Network: "udp", Address: "127.0.0.1:9", Facility: "local0"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shipper.Close(time.Second) })
	b.frontend.Log, b.frontend.Format = logger, tcplog.TCP

	loopback := poller.IP(netip.MustParseAddrPort("127.0.0.1:0"))
	origins, err := poller.Listen(loopback, poller.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if b.origin.watch, err = l.Accepting(origins, b.origin); err != nil {
		t.Fatal(err)
	}
	setTargets(b.backend, &Target{Addr: origins.Addr()})
	clients, err := poller.Listen(loopback, poller.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b.addr = clients.Addr()
	if err := NewAcceptor(b.loop, &Bind{Frontend: b.frontend, Stats: stats.New(1)}, clients).Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { origins.Close(); clients.Close() })
	return b
}

func setTargets(b *Backend, t *Target) {
	for _, s := range b.Servers() {
		SetTarget(s, t)
	}
}

// until turns the loop until done, on this goroutine.
func (b *bench) until(done func() bool) {
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		b.poller.Turn()
		if time.Now().After(deadline) {
			b.t.Fatal("it takes too long")
		}
	}
}

func oneServer() *config.Proxy {
	return &config.Proxy{Name: "b", Kind: config.Backend, Servers: []*config.Server{{Name: "s", ID: 1, Weight: 1, TOS: -1}}}
}

func TestFlowAllocatesNothing(t *testing.T) {
	for _, size := range []int{10, 300_000} { // the larger one is held back and spliced
		b := newBench(t, oneServer())
		c := &client{bench: b, request: make([]byte, size)}
		run := func() {
			c.left = 100
			c.start()
			b.until(func() bool { return c.done && b.loop.count == 0 && b.origin.open == 0 })
		}
		run() // the pools fill
		if n := testing.AllocsPerRun(3, run) / 100; n >= 0.1 {
			t.Errorf("%d bytes: %.2f allocations per flow", len(c.request), n)
		}
		if sum := b.frontend.Stats.Sum(stats.BytesOut); sum != uint64(500*len(c.request)) {
			t.Errorf("%d bytes were counted", sum)
		}
	}
}

// An idle flow costs less than 1 KiB of the process's memory: its state, its timer, its two places in the loop's table.
func TestIdleFlowMemory(t *testing.T) {
	b := newBench(t, oneServer())
	const flows = 1500
	clients := make([]client, flows)
	request := make([]byte, 10)
	open := func(from, to int) {
		for i := from; i < to; i++ {
			clients[i] = client{bench: b, request: request, keep: true}
			clients[i].start()
			b.until(func() bool { return clients[i].done })
		}
	}
	open(0, 10)
	before := heap()
	open(10, flows)
	after := heap()
	per := (int64(after) - int64(before)) / (flows - 10)
	// The test's own ends: two of its loop's slots and an originConn for each flow.
	own := int64(2*24 + 48)
	t.Logf("%d bytes of heap per idle flow, of which the test's are about %d", per, own)
	if per-own >= 640 {
		t.Errorf("an idle flow costs %d bytes", per-own)
	}
	runtime.KeepAlive(b)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkConnectRequestClose(b *testing.B) {
	bench := newBench(b, oneServer())
	c := &client{bench: bench, request: make([]byte, 100)}
	b.ReportAllocs()
	b.ResetTimer()
	c.left = b.N
	c.start()
	bench.until(func() bool { return c.done && bench.loop.count == 0 })
}

func BenchmarkRequest(b *testing.B) {
	bench := newBench(b, oneServer())
	c := &client{bench: bench, request: make([]byte, 100), keep: true}
	c.start()
	bench.until(func() bool { return c.done })
	b.ReportAllocs()
	for b.Loop() {
		c.got, c.sent, c.done = 0, 0, false
		c.send()
		bench.until(func() bool { return c.done })
	}
}
