package lb

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	resolver "github.com/sluice-lb/sluice/lb/resolve"
)

// named is the servers of one backend whose answers come from the test.
type named struct {
	t     *testing.T
	names *names
	fb    *flow.Backend
	proxy *config.Proxy
	group *nameGroup
	log   []string
	moved []string
}

func newNamed(t *testing.T, lines string) *named {
	t.Helper()
	text := "resolvers R\n  nameserver ns1 127.0.0.1:1\ndefaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nbackend b\n" + lines
	cfg, found := config.Load([]config.File{{Name: "test", Data: []byte(text)}}, nil, loadOptions)
	for _, d := range found {
		if d.Severity >= config.Alert {
			t.Fatal(d)
		}
	}
	w := &named{t: t, proxy: cfg.Proxies[0]}
	servers, err := backend.New(w.proxy, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	if w.fb, err = newFlowBackend(cfg, w.proxy, servers, initialNames{}); err != nil {
		t.Fatal(err)
	}
	servers.OnEvent = func(e backend.Event) {
		if e.Server != nil {
			text, _, _ := strings.Cut(e.Text, " 0 sessions")
			w.log = append(w.log, text)
		}
	}
	servers.Start()
	w.names = &names{backends: make(map[string][]*namedServer)}
	w.names.tell = func(_ *config.Proxy, text string, _ bool) { w.log = append(w.log, text) }
	w.names.moved = append(w.names.moved, func(s *backend.Server, to netip.AddrPort) {
		w.moved = append(w.moved, fmt.Sprintf("%s %v", s.Name, to))
	})
	groups := w.names.groups(w.proxy, w.fb)
	if len(groups) != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	w.group = groups[0]
	w.group.free = append(w.group.free, w.group.servers...)
	return w
}

// logged gives the lines since the last call.
func (w *named) logged(want ...string) {
	w.t.Helper()
	if !slices.Equal(w.log, want) {
		w.t.Errorf("logged:\n%s\nwant:\n%s", strings.Join(w.log, "\n"), strings.Join(want, "\n"))
	}
	w.log = nil
}

// where shows each server's target: "s1 10.0.0.1:80", and "-" for one that is in maintenance for want of an address.
func (w *named) where(want string) {
	w.t.Helper()
	var all []string
	for _, s := range w.fb.Servers() {
		at := flow.TargetOf(s).Addr.String()
		if s.Status().Admin&backend.ResolutionMaint != 0 {
			at = "-"
		}
		all = append(all, s.Name+" "+at)
	}
	if got := strings.Join(all, ", "); got != want {
		w.t.Errorf("targets %s, want %s", got, want)
	}
}

func known(text string) resolver.Answer {
	return resolver.Answer{Addrs: addresses(text), By: "R/ns1", First: true}
}

func TestHostsShareAnAnswer(t *testing.T) {
	w := newNamed(t, `
  server s1 app.test:80 resolvers R init-addr none resolve-prefer ipv4
  server s2 app.test:81 resolvers R init-addr none resolve-prefer ipv4
  server s3 app.test:82 resolvers R init-addr 10.0.0.9 resolve-prefer ipv4
`)
	w.where("s1 -, s2 -, s3 10.0.0.9:82")
	w.group.host(known("10.0.0.1 10.0.0.2"))
	w.logged(
		"b/s1 changed its IP from (none) to 10.0.0.1 by R/ns1.",
		"Server b/s1 ('app.test') is UP/READY (resolves again).",
		"Server b/s1 administratively READY thanks to valid DNS answer.",
		"b/s2 changed its IP from (none) to 10.0.0.2 by DNS cache.",
		"Server b/s2 ('app.test') is UP/READY (resolves again).",
		"Server b/s2 administratively READY thanks to valid DNS answer.",
		"Server b/s3 is going DOWN for maintenance (No IP for server ). 2 active and 0 backup servers left.",
	)
	w.where("s1 10.0.0.1:80, s2 10.0.0.2:81, s3 -")
	if got := strings.Join(w.moved, ", "); got != "s1 10.0.0.1:80, s2 10.0.0.2:81" {
		t.Errorf("moved %s", got)
	}

	w.group.host(known("10.0.0.2 10.0.0.3")) // s1's is gone: it takes the new one, the others keep theirs
	w.logged("b/s1 changed its IP from 10.0.0.1 to 10.0.0.3 by R/ns1.")
	w.where("s1 10.0.0.3:80, s2 10.0.0.2:81, s3 -")

	stale := known("10.0.0.2 10.0.0.3")
	stale.Failure, stale.Stale = resolver.Timeout, true
	w.group.host(stale)
	w.logged()
	w.where("s1 10.0.0.3:80, s2 10.0.0.2:81, s3 -")

	w.group.host(known("10.0.0.2")) // shrinks
	w.logged("Server b/s1 is going DOWN for maintenance (No IP for server ). 1 active and 0 backup servers left.")
	w.where("s1 -, s2 10.0.0.2:81, s3 -")

	for _, f := range []resolver.Failure{resolver.NX, resolver.Refused, resolver.Timeout, resolver.Other} {
		w.group.host(resolver.Answer{Failure: f})
		w.where("s1 -, s2 -, s3 -")
		reason := map[resolver.Failure]string{
			resolver.NX: "DNS NX status", resolver.Refused: "DNS refused status", resolver.Timeout: "DNS timeout status", resolver.Other: "unspecified DNS error",
		}[f]
		w.logged("Server b/s2 is going DOWN for maintenance (" + reason + "). 0 active and 0 backup servers left.")
		w.group.host(known("10.0.0.2"))
		w.group.host(known("10.0.0.2 10.0.0.4"))
		w.group.host(resolver.Answer{Addrs: addresses("10.0.0.4 10.0.0.2"), First: false})
		w.log = nil
		w.where("s1 10.0.0.2:80, s2 10.0.0.4:81, s3 -")
		w.group.host(known("10.0.0.4"))
		w.log = nil
	}
}

// The target is replaced by one that differs in its address only.
// Servers that start with an address keep it while the name servers do not answer, for the hold.
func TestFirstAddressesAreHeld(t *testing.T) {
	w := newNamed(t, `
  server s1 app.test:80 resolvers R init-addr 10.0.0.9 resolve-prefer ipv4
  server s2 app.test:81 resolvers R init-addr none resolve-prefer ipv4
`)
	w.group.host(resolver.Answer{Failure: resolver.Timeout, Stale: true})
	w.logged()
	w.where("s1 10.0.0.9:80, s2 -")
	if s := w.group.servers[0]; s.told.Failure != resolver.Timeout || !s.told.Stale {
		t.Errorf("the staleness cannot be seen: %+v", s.told)
	}
	w.group.host(resolver.Answer{Failure: resolver.Timeout})
	w.logged("Server b/s1 is going DOWN for maintenance (DNS timeout status). 0 active and 0 backup servers left.")
}

func TestMovedTargetKeepsTheRest(t *testing.T) {
	w := newNamed(t, "  server s1 app.test:80 resolvers R init-addr none send-proxy-v2 source 127.0.0.5 tfo\n")
	before := *flow.TargetOf(w.fb.Servers()[0])
	w.group.host(known("10.0.0.1"))
	after := *flow.TargetOf(w.fb.Servers()[0])
	if after.SendProxy != 2 || after.Source != before.Source || !after.Options.FastOpen || after.Unresolved || !before.Unresolved {
		t.Errorf("%+v", after)
	}
}

func TestPortsOfClients(t *testing.T) {
	w := newNamed(t, "  server s1 app.test:+10 resolvers R init-addr none\n  server s2 app.test resolvers R init-addr none\n")
	w.group.host(known("10.0.0.1 10.0.0.2"))
	w.where("s1 10.0.0.1:0, s2 10.0.0.2:0")
	if x := flow.TargetOf(w.fb.Servers()[0]); !x.OffsetPort || x.PortOffset != 10 {
		t.Errorf("%+v", x)
	}
}

func service(text string) resolver.Answer {
	a := resolver.Answer{By: "R/ns1", First: true}
	for _, word := range strings.Fields(text) { // host:port/weight=addr
		word, addr, asked := strings.Cut(word, "=")
		var s resolver.Service
		host, rest, _ := strings.Cut(word, ":")
		fmt.Sscanf(rest, "%d/%d", &s.Port, &s.Weight)
		s.Target = host
		if asked {
			s.Asked = true
			s.Host = known(addr)
			if addr == "" {
				s.Host = resolver.Answer{Failure: resolver.NX}
			}
		}
		a.Services = append(a.Services, s)
	}
	return a
}

func TestServiceFillsTemplate(t *testing.T) {
	w := newNamed(t, "  server-template v 1-3 _a._tcp.test resolvers R resolve-prefer ipv4\n")
	w.where("v1 -, v2 -, v3 -")
	w.group.service(service("one.test:8001/65535=10.0.0.1 two.test:8002/300"))
	w.logged(
		"b/v1 changed its FQDN from (null) to one.test by 'SRV record'",
		"b/v1 changed its IP from (none) to 10.0.0.1 by R/ns1.",
		"Server b/v1 ('one.test') is UP/READY (resolves again).",
		"Server b/v1 administratively READY thanks to valid DNS answer.",
		"b/v2 changed its FQDN from (null) to two.test by 'SRV record'",
	)
	w.where("v1 10.0.0.1:8001, v2 -, v3 -")
	if got := []int{w.fb.Servers()[0].Weight(), w.fb.Servers()[1].Weight(), w.fb.Servers()[2].Weight()}; !slices.Equal(got, []int{256, 2, 1}) {
		t.Errorf("weights %v", got)
	}
	w.group.service(service("two.test:8002/300=10.0.0.2 one.test:8001/1=10.0.0.1")) // turned around, another weight
	w.where("v1 10.0.0.1:8001, v2 10.0.0.2:8002, v3 -")
	if w.fb.Servers()[0].Weight() != 1 {
		t.Errorf("weight %d", w.fb.Servers()[0].Weight())
	}
	w.log = nil

	w.group.service(service("two.test:8002/300=10.0.0.2")) // shrinks
	w.logged("Server b/v1 is going DOWN for maintenance (entry removed from SRV record). 1 active and 0 backup servers left.")
	w.where("v1 -, v2 10.0.0.2:8002, v3 -")

	w.group.service(service("two.test:8002/300=10.0.0.2 one.test:8001/1=10.0.0.1")) // the next server in line
	w.where("v1 -, v2 10.0.0.2:8002, v3 10.0.0.1:8001")
	w.group.service(service("two.test:8002/1=10.0.0.2 one.test:8001/1=10.0.0.1 new.test:1/1=10.0.0.4 more.test:1/1=10.0.0.5"))
	w.where("v1 10.0.0.4:1, v2 10.0.0.2:8002, v3 10.0.0.1:8001")
	w.log = nil

	w.group.service(service("two.test:8002/1= one.test:8001/1=10.0.0.1 new.test:1/1=10.0.0.4")) // a target without an address
	w.logged("Server b/v2 is going DOWN for maintenance (DNS NX status). 2 active and 0 backup servers left.")

	w.group.service(resolver.Answer{Failure: resolver.NX})
	w.where("v1 -, v2 -, v3 -")
	w.logged(
		"Server b/v1 is going DOWN for maintenance (entry removed from SRV record). 1 active and 0 backup servers left.",
		"Server b/v3 is going DOWN for maintenance (entry removed from SRV record). 0 active and 0 backup servers left.",
	)
}

// An address that came along with the service's answer has words of its own.
func TestServiceAdditionalRecords(t *testing.T) {
	w := newNamed(t, "  server-template v 1-2 _a._tcp.test resolvers R resolve-prefer ipv4\n")
	a := service("one.test:8001/1=10.0.0.1")
	a.Services[0].Additional = true
	w.group.service(a)
	if got := w.log[:2]; !slices.Equal(got, []string{
		"b/v1 changed its IP from (none) to 10.0.0.1 by DNS additional record.",
		"b/v1 changed its FQDN from (null) to one.test by 'SRV record'",
	}) {
		t.Errorf("%q", got)
	}
	w.log = nil
	w.group.service(service("one.test:8001/1=10.0.0.3"))
	w.logged("b/v1 changed its IP from 10.0.0.1 to 10.0.0.3 by R/ns1.")
}

// One host on several ports: its address is one server's only, as with every name.
func TestServicePorts(t *testing.T) {
	w := newNamed(t, "  server-template v 1-2 _a._tcp.test resolvers R resolve-opts allow-dup-ip,ignore-weight weight 7\n")
	w.group.service(service("one.test:8001/9999=10.0.0.1 one.test:8002/9999=10.0.0.1"))
	w.where("v1 10.0.0.1:8001, v2 10.0.0.1:8002")
	if w.fb.Servers()[0].Weight() != 7 {
		t.Errorf("weight %d", w.fb.Servers()[0].Weight())
	}
	if len(w.log) != 8 || w.log[5] != "b/v2 changed its IP from (none) to 10.0.0.1 by DNS cache." {
		t.Errorf("%q", w.log)
	}
	w = newNamed(t, "  server-template v 1-2 _a._tcp.test resolvers R\n")
	w.group.service(service("one.test:8001/1=10.0.0.1 one.test:8002/1=10.0.0.1"))
	w.where("v1 10.0.0.1:8001, v2 -")
}

// A check that cannot connect in time has the name asked for again; other failures do not.
func TestCheckTimeoutAsksAgain(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	asked := make(chan bool, 100)
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
		asked <- true
		answer := new(dns.Msg)
		answer.SetReply(m)
		rr, _ := dns.NewRR(m.Question[0].Name + " A 127.0.0.1")
		answer.Answer = append(answer.Answer, rr)
		w.WriteMsg(answer)
	})}
	go server.ActivateAndServe()
	defer server.Shutdown()
	text := fmt.Sprintf(`
resolvers R
  nameserver ns1 %v
  timeout resolve 1h
  hold valid 1ms
defaults
  mode tcp
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend f
  bind 127.0.0.1:1
  default_backend b
backend b
  server s1 app.test:80 resolvers R init-addr none resolve-prefer ipv4 check fall 1
`, conn.LocalAddr())
	cfg, _ := config.Load([]config.File{{Name: "test", Data: []byte(text)}}, nil, loadOptions)
	p := cfg.Proxies[1]
	servers, err := backend.New(p, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	fb, err := newFlowBackend(cfg, p, servers, initialNames{})
	if err != nil {
		t.Fatal(err)
	}
	logged := make(chan string, 100)
	b := &Balancer{config: cfg, backends: map[string]*flow.Backend{"b": fb}, news: newHealthNews(func(_ config.Severity, text string) { logged <- text })}
	defer b.news.close()
	if err := b.openNames(); err != nil {
		t.Fatal(err)
	}
	servers.Start()
	b.names.set.Start()
	defer b.names.set.Stop()
	<-asked
	for text := range logged {
		if strings.Contains(text, "administratively READY") || strings.Contains(text, "changed its IP") {
			break
		}
	}
	if got := b.Names()[0]; got.Name != "app.test" || got.Addr != netip.MustParseAddr("127.0.0.1") || got.Stale || got.Valid.IsZero() {
		t.Errorf("%+v", got)
	}
	if got := b.Resolvers()[0]; got.Name != "R" || got.Servers[0].Name != "ns1" || got.Servers[0].Valid != 1 {
		t.Errorf("%+v", got)
	}
	time.Sleep(2 * time.Millisecond) // hold valid
	servers.Servers()[0].Checked(backend.CheckResult{Status: backend.CheckL4Failed})
	select {
	case <-asked:
		t.Error("asked again after a refused connect")
	case <-time.After(50 * time.Millisecond):
	}
	for range 5 {
		servers.Servers()[0].Checked(backend.CheckResult{Status: backend.CheckL4OK})
	}
	servers.Servers()[0].Checked(backend.CheckResult{Status: backend.CheckL4Timeout})
	select {
	case <-asked:
	case <-time.After(10 * time.Second):
		t.Error("not asked again after a time-out")
	}
}
