package lb

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// checkBed opens a configuration with one backend, b.
func checkBed(t *testing.T, servers string) (*Balancer, error) {
	t.Helper()
	text := "listen b\n  mode tcp\n  bind 127.0.0.1:0\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n" + servers
	text = strings.Replace(text, "127.0.0.1:0", freeAddress(t), 1)
	cfg, found := config.Load([]config.File{{Name: "c.cfg", Data: []byte(text)}}, nil, config.LoadOptions{})
	if cfg == nil {
		return nil, fmt.Errorf("%v", found)
	}
	cfg.Global.Threads = 1
	b, err := Open(cfg, Options{MaxConnOverride: 100})
	if err == nil {
		t.Cleanup(b.Stop)
	}
	return b, err
}

func freeAddress(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// What the manual says at "addr", "port", "check-send-proxy", "agent-addr", "agent-port" and "source".
func TestCheckTargets(t *testing.T) {
	for _, test := range []struct {
		server       string
		addr, source string
		proxy        int
		agent        string
	}{
		{"127.0.0.1:80 check", "127.0.0.1:80", "-", 0, ""},
		{"127.0.0.1:80 check port 81", "127.0.0.1:81", "-", 0, ""},
		{"127.0.0.1:80 check addr 127.0.0.2", "127.0.0.2:80", "-", 0, ""},
		{"127.0.0.1:80 check addr 127.0.0.2 port 81", "127.0.0.2:81", "-", 0, ""},
		{"127.0.0.1 check port 81", "127.0.0.1:81", "-", 0, ""},
		{"127.0.0.1:+10 check port 81", "127.0.0.1:81", "-", 0, ""},
		{"127.0.0.1:80 check send-proxy", "127.0.0.1:80", "-", 1, ""},
		{"127.0.0.1:80 check send-proxy-v2", "127.0.0.1:80", "-", 2, ""},
		{"127.0.0.1:80 check send-proxy port 81", "127.0.0.1:81", "-", 0, ""},
		{"127.0.0.1:80 check send-proxy-v2 addr 127.0.0.2 check-send-proxy", "127.0.0.2:80", "-", 2, ""},
		{"127.0.0.1:80 check check-send-proxy", "127.0.0.1:80", "-", 1, ""},
		{"127.0.0.1:80 check source 127.0.0.9", "127.0.0.1:80", "127.0.0.9:0", 0, ""},
		{"127.0.0.1:80 check tfo source 127.0.0.9 usesrc clientip", "127.0.0.1:80", "127.0.0.9:0", 0, ""},
		{"127.0.0.1:80 check agent-check agent-port 99", "127.0.0.1:80", "-", 0, "127.0.0.1:99"},
		{"127.0.0.1:80 check addr 127.0.0.2 port 81 agent-check agent-port 99 agent-addr 127.0.0.3", "127.0.0.2:81", "-", 0, "127.0.0.3:99"},
		{"unix@/run/x.sock check", "unix:/run/x.sock", "-", 0, ""},
	} {
		b, err := checkBed(t, "  server s "+test.server+"\n")
		if err != nil {
			t.Errorf("%s: %v", test.server, err)
			continue
		}
		s := b.checks.servers[b.backends["b"].Servers()[0]]
		target := s.Target()
		if target.Addr.String() != test.addr || target.Source.String() != test.source || target.SendProxy != test.proxy {
			t.Errorf("%s: to %v from %v with PROXY %d", test.server, target.Addr, target.Source, target.SendProxy)
		}
		if target.Options.FastOpen || target.Options.Transparent {
			t.Errorf("%s: options of the traffic that a check cannot have: %+v", test.server, target.Options)
		}
		agent := ""
		if a := s.AgentTarget(); a != nil {
			agent = a.Addr.String()
		}
		if agent != test.agent {
			t.Errorf("%s: agent at %q", test.server, agent)
		}
		b.Stop()
	}
}

// A server that cannot be checked for want of a port is a mistake, unless the script brings one.
func TestCheckWithoutPort(t *testing.T) {
	for _, test := range []struct {
		text string
		good bool
	}{
		{"  server s 127.0.0.1 check\n", false},
		{"  server s 127.0.0.1:+5 check\n", false},
		{"  server s 127.0.0.1:+5\n", true},
		{"  server s 127.0.0.1:+5 check port 80\n", true},
		{"  option tcp-check\n  tcp-check connect port 80\n  server s 127.0.0.1 check\n", true},
		{"  option tcp-check\n  tcp-check set-var(check.p) int(80)\n  tcp-check connect port var(check.p)\n  server s 127.0.0.1 check\n", true},
		{"  option tcp-check\n  tcp-check connect\n  tcp-check connect port 80\n  server s 127.0.0.1 check\n", false},
	} {
		b, err := checkBed(t, test.text)
		if (err == nil) != test.good {
			t.Errorf("%s: %v", test.text, err)
		}
		if err == nil {
			b.Stop()
		}
	}
}

// Checks begin with Start, move the server's state, go on during a soft stop, and end with Stop.
func TestChecksRun(t *testing.T) {
	traffic, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer traffic.Close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	b, err := checkBed(t, fmt.Sprintf("  server s %s check port %d inter 10ms rise 1 fall 1\n", traffic.Addr(), ln.Addr().(*net.TCPAddr).Port))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	s := b.backends["b"].Servers()[0]
	is := func(what string, status backend.CheckStatus) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); s.Status().Check.Status != status; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %+v", what, s.Status())
			}
		}
	}
	is("the first check", backend.CheckL4OK)
	c, err := net.Dial("tcp", b.config.Proxies[0].Binds[0].Address.IP.String()+":"+fmt.Sprint(b.config.Proxies[0].Binds[0].Address.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for end := time.Now().Add(5 * time.Second); b.process.Flows.Value() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	b.SoftStop()
	ln.Close()
	is("a check during soft stop", backend.CheckL4Failed)
	b.Stop()
}

// When the name servers answer, checks follow, but for an address or a port of their own.
func TestChecksMove(t *testing.T) {
	b, err := checkBed(t, "  server s1 127.0.0.1:80 check agent-check agent-port 99\n  server s2 127.0.0.1:80 check port 81\n  server s3 127.0.0.1:80 check addr 127.0.0.2\n  server s4 127.0.0.1:80\n")
	if err != nil {
		t.Fatal(err)
	}
	servers := b.backends["b"].Servers()
	for _, s := range servers {
		b.checks.moved(s, netip.MustParseAddrPort("10.0.0.1:90"))
	}
	for i, want := range []string{"10.0.0.1:90", "10.0.0.1:81", "127.0.0.2:80"} {
		if got := b.checks.servers[servers[i]].Target().Addr.String(); got != want {
			t.Errorf("%s is checked at %s, want %s", servers[i].Name, got, want)
		}
	}
	if got := b.checks.servers[servers[0]].AgentTarget().Addr.String(); got != "10.0.0.1:99" {
		t.Errorf("agent at %s", got)
	}
	b.checks.moved(servers[0], netip.AddrPort{})
	if b.checks.servers[servers[0]].Target().Err == nil {
		t.Error("no error without an address")
	}
	b.checks.moved(servers[0], netip.MustParseAddrPort("10.0.0.1:90"))
	if err := b.checks.servers[servers[0]].Target().Err; err != nil {
		t.Error(err)
	}
}
