package e2e

import (
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Three namespaces in a row: a client, the balancer, an origin. The origin's answers to the client's address come back
// through the balancer's namespace, where a rule delivers all that arrives by the origin's cable locally.
func threeInARow(t *testing.T) (client, middle, origin string) {
	client, middle, origin = harness.Namespace(t, "c"), harness.Namespace(t, "b"), harness.Namespace(t, "o")
	harness.Cable(t, client, "eth0", "10.1.0.2/24", middle, "front", "10.1.0.1/24")
	harness.Cable(t, origin, "eth0", "10.2.0.2/24", middle, "back", "10.2.0.1/24")
	harness.Run(t, "ip", "-n", client, "route", "add", "default", "via", "10.1.0.1")
	harness.Run(t, "ip", "-n", origin, "route", "add", "default", "via", "10.2.0.1")
	harness.Run(t, "ip", "-n", middle, "rule", "add", "iif", "back", "lookup", "100")
	harness.Run(t, "ip", "-n", middle, "route", "add", "local", "default", "dev", "lo", "table", "100")
	pid := harness.Background(t, append(harness.Inside(origin), "socat", "TCP-LISTEN:80,reuseaddr,fork", "SYSTEM:'echo $SOCAT_PEERADDR'")...)
	harness.Eventually(t, "the origin listens", func() bool { return harness.Listening(pid, "TCP-LISTEN:80") })
	return client, middle, origin
}

// ask connects from a namespace and returns what comes.
func ask(t *testing.T, namespace, address, options string) string {
	t.Helper()
	command := append(harness.Inside(namespace), "socat", "-t5", "-T5", "-u", "TCP:"+address+",connect-timeout=5"+options, "-")
	out, stderr, code := harness.Exec(t, nil, command[0], command[1:]...)
	if code != 0 {
		t.Errorf("asking %s from %s: %s", address, namespace, stderr)
	}
	return strings.TrimSpace(out)
}

// The origin sees the client's own address, or another one that the configuration gives.
func TestSourceAddress(t *testing.T) {
	t.Parallel()
	client, middle, _ := threeInARow(t)
	for _, c := range []struct{ name, proxy, server, want string }{
		{name: "its own", want: "10.2.0.1"},
		{name: "usesrc clientip", proxy: "source 0.0.0.0 usesrc clientip", want: "10.1.0.2"},
		{name: "usesrc client", proxy: "source 0.0.0.0 usesrc client", want: "10.1.0.2"},
		{name: "on the server line", server: "source 0.0.0.0 usesrc clientip", want: "10.1.0.2"},
		{name: "server before proxy", proxy: "source 0.0.0.0 usesrc clientip", server: "source 10.2.0.1", want: "10.2.0.1"},
		{name: "usesrc address", proxy: "source 0.0.0.0 usesrc 10.9.9.9", want: "10.9.9.9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			logs := harness.ReceiveUDP(t)
			harness.Start(t, config(logs, "no log", section("listen front", "bind 10.1.0.1:80", c.proxy, "server origin 10.2.0.2:80 "+c.server)),
				harness.Options{Wrap: harness.Inside(middle)})
			if got := ask(t, client, "10.1.0.1:80", ""); got != c.want {
				t.Errorf("the origin saw '%s', want %s", got, c.want)
			}
		})
	}
}

// A bind line with 'transparent' takes an address that is not the machine's, and 'option transparent' connects to the
// address that the client wanted.
func TestTransparentBind(t *testing.T) {
	t.Parallel()
	client, middle, _ := threeInARow(t)
	harness.Run(t, "ip", "-n", middle, "rule", "add", "iif", "front", "lookup", "100")
	logs := harness.ReceiveUDP(t)
	harness.Start(t, config(logs, "no log",
		section("listen vip", "bind 192.0.2.7:80 transparent", "server origin 10.2.0.2:80"),
		section("listen any", "bind 10.2.0.2:80 transparent", "option transparent")),
		harness.Options{Wrap: harness.Inside(middle)})
	if got := ask(t, client, "192.0.2.7:80", ""); got != "10.2.0.1" {
		t.Errorf("the origin saw '%s', want 10.2.0.1", got)
	}
	if got := ask(t, client, "10.2.0.2:80", ""); got != "10.2.0.1" {
		t.Errorf("option transparent: the origin saw '%s', want 10.2.0.1", got)
	}
}

// 'source' with an address and a range of ports, over loopback and without rights.
func TestSourcePorts(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	seen := make(chan string, 10)
	origin := harness.Serve(t, func(s harness.Stream) { seen <- s.RemoteAddr().String(); harness.Echo(s) })
	first := harness.Ports(t, 3)
	harness.Start(t, config(logs, "", section("listen front", "bind "+addr,
		"server origin "+origin.Addr+" source 127.0.0.77:"+rangeOf(first, 3))))
	used := map[string]bool{}
	for range 3 {
		exchange(t, harness.DialTCP(t, addr))
		from := <-seen
		if !strings.HasPrefix(from, "127.0.0.77:") || used[from] {
			t.Errorf("the origin saw %s, want one of three ports of 127.0.0.77, each once (%v)", from, used)
		}
		used[from] = true
	}
}
