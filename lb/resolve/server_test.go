package resolve

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-lb/sluice/lb/config"
)

// nameserver is a real name server on a loopback port, over UDP and TCP. What it answers is the test's.
type nameserver struct {
	addr netip.AddrPort

	mu    sync.Mutex
	reply string // to UDP, as reply's; empty: none
	tcp   string // to TCP; empty: as reply
	seen  []seen
	close bool // TCP connections after each answer
}

type seen struct {
	from netip.AddrPort
	id   uint16
	tcp  bool
	size uint16 // announced
}

func startNameserver(t testing.TB, first string) *nameserver {
	t.Helper()
	n := &nameserver{reply: first}
	packet, listener := sharedPort(t)
	n.addr = netip.MustParseAddrPort(packet.LocalAddr().String())
	for _, s := range []*dns.Server{{PacketConn: packet}, {Listener: listener}} {
		s.Handler = dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) { n.serve(t, w, m) })
		var serving sync.WaitGroup
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		serving.Go(func() { s.ActivateAndServe() })
		<-started
		t.Cleanup(func() { s.Shutdown(); serving.Wait() })
	}
	return n
}

// sharedPort opens one port for both protocols. The kernel chooses it for the one, so that it may be in use with the other.
func sharedPort(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	var failure error
	for range 20 {
		packet, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp", packet.LocalAddr().String())
		if err == nil {
			return packet, listener
		}
		packet.Close()
		failure = err
	}
	t.Fatal(failure)
	return nil, nil
}

func (n *nameserver) serve(t testing.TB, w dns.ResponseWriter, m *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	s := seen{from: netip.MustParseAddrPort(w.RemoteAddr().String()), id: m.Id, tcp: tcp}
	if o := m.IsEdns0(); o != nil {
		s.size = o.UDPSize()
	}
	n.seen = append(n.seen, s)
	what := n.reply
	if tcp && n.tcp != "" {
		what = n.tcp
	}
	if what == "" {
		return
	}
	query, _ := m.Pack()
	w.Write(reply(t, query, what))
	if tcp && n.close {
		w.Close()
	}
}

func (n *nameserver) set(change func(*nameserver)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(n)
}

// quick is a section that is asked every few milliseconds.
func quick(servers ...*nameserver) *config.Resolvers {
	c := defaults()
	c.TimeoutResolve, c.TimeoutRetry = 10*time.Millisecond, 100*time.Millisecond
	for i, n := range servers {
		c.NameServers = append(c.NameServers, config.NameServer{
			Name: "ns" + string(rune('1'+i)), Address: config.Address{IP: n.addr.Addr(), Port: int(n.addr.Port())},
		})
	}
	return c
}

// start runs a set, and stops it at the end of the test, when nothing of it may be left.
func start(t *testing.T, c *config.Resolvers) *Set {
	t.Helper()
	set, err := New([]*config.Resolvers{c}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	set.Start()
	t.Cleanup(func() {
		set.Stop()
		buffer := make([]byte, 1<<20)
		for _, one := range strings.Split(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
			for _, of := range []string{"(*datagrams).read", "(*stream).", "(*loop).run"} {
				if strings.Contains(one, "resolve."+of) {
					t.Errorf("left over:\n%s", one)
				}
			}
		}
	})
	return set
}

// follow gives the channel of a query's outcomes.
func follow(t *testing.T, set *Set, name string) chan string {
	t.Helper()
	told := make(chan string, 1000)
	if _, err := set.Watch(Query{Section: "R", Name: name, Service: IsService(name), PreferIPv4: true}, func(a Answer) { told <- show(a) }); err != nil {
		t.Fatal(err)
	}
	return told
}

func expect(t *testing.T, told chan string, want string) {
	t.Helper()
	select {
	case got := <-told:
		if got != want {
			t.Fatalf("told %s, want %s", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("not told %s", want)
	}
}

func TestOverSockets(t *testing.T) {
	one, two := startNameserver(t, "NX"), startNameserver(t, "A 192.0.2.1")
	c := quick(one, two)
	c.AcceptedPayload = 1400
	set := start(t, c)
	told := follow(t, set, "a.test")
	expect(t, told, "192.0.2.1 ok")
	two.set(func(n *nameserver) { n.reply = "A 192.0.2.2" })
	expect(t, told, "192.0.2.2 ok")
	two.set(func(n *nameserver) { n.reply = "TC"; n.tcp = "A 192.0.2.3" })
	expect(t, told, "192.0.2.3 ok")
	two.set(func(n *nameserver) { n.tcp = "A 192.0.2.4"; n.close = true }) // each answer ends its connection
	expect(t, told, "192.0.2.4 ok")
	status := set.Status()[0]
	if status.Name != "R" || status.Servers[0].NX == 0 || status.Servers[1].Valid < 4 || status.Servers[1].Truncated < 2 {
		t.Errorf("%+v", status)
	}
	two.mu.Lock()
	defer two.mu.Unlock()
	for _, s := range two.seen {
		if s.size != 1400 {
			t.Errorf("announced %d bytes", s.size)
		}
	}
}

// Ids do not repeat, and ports change: a question every so often leaves from another one each time.
func TestRandomness(t *testing.T) {
	n := startNameserver(t, "A 192.0.2.1")
	c := quick(n)
	c.TimeoutResolve = 2 * perPort
	set := start(t, c)
	expect(t, follow(t, set, "a.test"), "192.0.2.1 ok")
	count := func() int { n.mu.Lock(); defer n.mu.Unlock(); return len(n.seen) }
	for deadline := time.Now().Add(10 * time.Second); count() < 8; {
		if time.Now().After(deadline) {
			t.Fatal("not asked any more")
		}
		time.Sleep(time.Millisecond)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	ids, ports := make(map[uint16]bool), make(map[uint16]bool)
	for i, s := range n.seen {
		if i > 0 && s.id == n.seen[i-1].id+1 && i > 1 && s.id == n.seen[i-2].id+2 {
			t.Error("ids count up")
		}
		ids[s.id], ports[s.from.Port()] = true, true
	}
	if len(ids) < len(n.seen)-1 || len(ports) < len(n.seen)-1 {
		t.Errorf("%d questions had %d ids and %d ports", len(n.seen), len(ids), len(ports))
	}
}

// A larger datagram than announced is asked for over TCP.
func TestTooBigOverSockets(t *testing.T) {
	many := strings.Repeat("A 192.0.2.1; ", 60) + "A 192.0.2.1" // more than 512 bytes of the same address
	n := startNameserver(t, many)
	set := start(t, quick(n))
	expect(t, follow(t, set, "a.test"), "192.0.2.1 ok")
	if s := set.Status()[0].Servers[0]; s.TooBig == 0 || s.Sent < 2 {
		t.Errorf("%+v", s.Counters)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.ContainsFunc(n.seen, func(s seen) bool { return s.tcp }) {
		t.Error("not asked over TCP")
	}
}

// tcp@ name servers, one of which is not there.
func TestStreamServers(t *testing.T) {
	n := startNameserver(t, "A 192.0.2.1")
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := &nameserver{addr: netip.MustParseAddrPort(gone.Addr().String())}
	gone.Close()
	c := quick(n, dead)
	c.NameServers[0].TCP, c.NameServers[1].TCP = true, true
	set := start(t, c)
	told := follow(t, set, "a.test")
	expect(t, told, "192.0.2.1 ok")
	expect(t, follow(t, set, "b.test"), "192.0.2.1 ok")
	n.mu.Lock()
	defer n.mu.Unlock()
	ports := make(map[uint16]bool)
	for _, s := range n.seen {
		ports[s.from.Port()] = true
		if !s.tcp {
			t.Error("asked over UDP")
		}
	}
	if len(ports) != 1 {
		t.Errorf("%d connections", len(ports))
	}
}

// A name server that is not there, and one that is silent: a timeout, whatever the kernel says of the first.
func TestSilence(t *testing.T) {
	silent := startNameserver(t, "")
	packet, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := &nameserver{addr: netip.MustParseAddrPort(packet.LocalAddr().String())}
	packet.Close()
	c := quick(silent, dead)
	c.Retries, c.TimeoutRetry = 2, 20*time.Millisecond
	set := start(t, c)
	expect(t, follow(t, set, "a.test"), "failed: DNS timeout status")
	s := set.Status()[0].Servers
	if s[0].Timeout < 2 || s[1].SendErrors == 0 {
		t.Errorf("%+v", s)
	}
}

func TestWatchErrors(t *testing.T) {
	set := start(t, quick())
	for query, want := range map[Query]string{
		{Section: "Q", Name: "a.test"}:                          "unable to find required resolvers 'Q'",
		{Section: "R", Name: "a..test"}:                         "'a..test' is not a domain name",
		{Section: "R", Name: ""}:                                "'' is not a domain name",
		{Section: "R", Name: strings.Repeat("a", 64) + ".test"}: "'" + strings.Repeat("a", 64) + ".test' is not a domain name",
	} {
		if _, err := set.Watch(query, func(Answer) {}); err == nil || err.Error() != want {
			t.Errorf("%v: %v, want %s", query, err, want)
		}
	}
}

// A watch can be ended by whoever is told, and nothing comes after Stop.
func TestWatchLeaves(t *testing.T) {
	n := startNameserver(t, "A 192.0.2.1")
	set := start(t, quick(n))
	told := make(chan Answer, 10)
	var w *Watch
	ready := make(chan struct{})
	w, err := set.Watch(Query{Section: "R", Name: "a.test", PreferIPv4: true}, func(a Answer) {
		<-ready
		w.Stop()
		w.Again() // too late, and harmless
		told <- a
	})
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	<-told
	n.set(func(n *nameserver) { n.reply = "A 192.0.2.2" })
	expect(t, follow(t, set, "a.test"), "192.0.2.2 ok") // asked anew
	if len(told) > 0 {
		t.Error("told after the end")
	}
}
