package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

func rangeOf(first, n int) string { return fmt.Sprintf("%d-%d", first, first+n-1) }

// peers is what ss shows of the connections of an address: state, addresses, timers, internals.
func peers(t *testing.T, filter ...string) string {
	t.Helper()
	return harness.Run(t, "ss", append([]string{"-tnoiH"}, filter...)...)
}

// Keep-alive probes show as a timer of the balancer's sockets, on the side that the option names.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		defaults       string
		client, server bool
		timer          string // what the timer must show, as a regular expression
	}{
		{"", false, false, ""},
		{"option tcpka", true, true, ""},
		{"option clitcpka", true, false, ""},
		{"option srvtcpka", false, true, ""},
		{"option tcpka\nclitcpka-idle 50s\nsrvtcpka-idle 50s\nclitcpka-cnt 3\nsrvtcpka-cnt 3\nclitcpka-intvl 7s\nsrvtcpka-intvl 7s", true, true, `keepalive,(50|4\d)sec`},
	} {
		t.Run(c.defaults, func(t *testing.T) {
			t.Parallel()
			logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
			harness.Start(t, config(logs, c.defaults, section("listen front", "bind "+addr, "server origin "+origin.Addr)))
			exchange(t, harness.DialTCP(t, addr))
			client, server := peers(t, "sport = :"+port(addr)), peers(t, "dport = :"+port(origin.Addr))
			for _, side := range []struct {
				name, text string
				want       bool
			}{{"client", client, c.client}, {"server", server, c.server}} {
				if got := strings.Contains(side.text, "timer:(keepalive"); got != side.want {
					t.Errorf("keep-alive on the %s's side is %v, want %v:\n%s", side.name, got, side.want, side.text)
				}
				if side.want && !regexp.MustCompile(c.timer).MatchString(side.text) {
					t.Errorf("the %s's side does not show '%s':\n%s", side.name, c.timer, side.text)
				}
			}
		})
	}
}

// nolinger leaves no connection behind in TIME_WAIT.
func TestNoLinger(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		defaults string
		waits    bool
	}{{"", true}, {"option nolinger", false}} {
		t.Run(c.defaults, func(t *testing.T) {
			t.Parallel()
			logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
			origin := harness.Serve(t, harness.Echo)
			harness.Start(t, config(logs, c.defaults+"\ntimeout client 300ms", section("listen front", "bind "+addr, "server origin "+origin.Addr)))
			for range 5 {
				client := harness.DialTCP(t, addr)
				exchange(t, client)
				client.CloseWrite()
				harness.AwaitEnd(t, client)
				client.Close()
				logs.Flow(t)
			}
			text := harness.Run(t, "ss", "-tanH", "state", "time-wait", "dport = :"+port(origin.Addr))
			if got := strings.Contains(text, ":"); got != c.waits {
				t.Errorf("TIME_WAIT towards the server is %v, want %v:\n%s", got, c.waits, text)
			}
		})
	}
}

// What bind and server lines set on their sockets, as the kernel shows it.
func TestSocketParameters(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	harness.Start(t, config(logs, "backlog 77", section("listen front", "bind "+addr+" mss 1000", "server origin "+origin.Addr)))
	listening := harness.Run(t, "ss", "-ltnH", "sport = :"+port(addr))
	for _, line := range strings.Split(strings.TrimSpace(listening), "\n") {
		if f := strings.Fields(line); len(f) < 3 || f[2] != "77" {
			t.Errorf("the backlog is not 77: %s", line)
		}
	}
	exchange(t, harness.DialTCP(t, addr))
	if text := peers(t, "sport = :"+port(addr)); !strings.Contains(text, "advmss:1000") && !strings.Contains(text, "mss:988") && !strings.Contains(text, "mss:1000") {
		t.Errorf("the segment size is not 1000:\n%s", text)
	}
}
