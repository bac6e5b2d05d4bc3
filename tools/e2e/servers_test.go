package e2e

import (
	"fmt"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Which servers take part: weight 0, disabled, backup.
func TestEligibleServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, defaults string
		parameters     [4]string // of servers a, b, c, d
		want           map[string]int
	}{
		{"all", "", [4]string{}, map[string]int{"a": 10, "b": 10, "c": 10, "d": 10}},
		{"weight 0", "", [4]string{"weight 0"}, map[string]int{"b": 13, "c": 13, "d": 13}},
		{"disabled", "", [4]string{"disabled", "", "disabled"}, map[string]int{"b": 20, "d": 20}},
		{"disabled by default-server", "default-server disabled", [4]string{"enabled"}, map[string]int{"a": 40}},
		{"backup unused", "", [4]string{"", "", "backup", "backup"}, map[string]int{"a": 20, "b": 20}},
		{"first backup only", "", [4]string{"disabled", "disabled", "backup", "backup"}, map[string]int{"c": 40}},
		{"all backups", "option allbackups", [4]string{"disabled", "disabled", "backup", "backup"}, map[string]int{"c": 20, "d": 20}},
		{"backup in place of weight 0", "", [4]string{"weight 0", "disabled", "disabled", "backup"}, map[string]int{"d": 40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
			lines := []string{"bind " + addr, "balance roundrobin"}
			for i, name := range []string{"a", "b", "c", "d"} {
				lines = append(lines, fmt.Sprintf("server %s %s %s", name, harness.Serve(t, harness.Name(name)).Addr, c.parameters[i]))
			}
			harness.Start(t, config(logs, c.defaults, section("listen front", lines...)))
			near(t, tally(t, addr, 40), c.want, 1)
		})
	}
}

// server-template makes servers with numbered names; default_backend and use_backend name where flows go.
func TestTemplateAndBackends(t *testing.T) {
	t.Parallel()
	logs := harness.ReceiveUDP(t)
	first := harness.Ports(t, 1)
	harness.ServeOn(t, "tcp", fmt.Sprintf("127.0.0.1:%d", first), harness.Echo)
	one, two := harness.Loopback(t), harness.Loopback(t)
	harness.Start(t, config(logs, "",
		section("frontend one", "bind "+one, "default_backend pool"),
		section("frontend two", "bind "+two, "use_backend other", "default_backend pool"),
		section("backend pool", fmt.Sprintf("server-template web 1-3 127.0.0.1:%d", first)),
		section("backend other", fmt.Sprintf("server only 127.0.0.1:%d", first))))
	seen := map[string]int{}
	for range 6 {
		client := harness.DialTCP(t, one)
		exchange(t, client)
		client.Close()
		flow := logs.Flow(t)
		seen[flow.Frontend+" "+flow.Backend+"/"+flow.Server]++
	}
	near(t, seen, map[string]int{"one pool/web1": 2, "one pool/web2": 2, "one pool/web3": 2}, 0)
	client := harness.DialTCP(t, two)
	exchange(t, client)
	client.Close()
	if flow := logs.Flow(t); flow.Frontend != "two" || flow.Backend != "other" || flow.Server != "only" {
		t.Errorf("%+v, want two other/only", flow)
	}
}
