package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// tenancy is two tenants on one address, each in a namespace of its own with a client beside it, and one web server for both.
type tenancy struct {
	*harness.Balancer
	socket      string
	blue, green string // the clients' namespaces
	url         string
	root        string // what the web server serves
}

// startTenancy gives blue a budget of some lines, and green none.
func startTenancy(t *testing.T, loops int, budget ...string) *tenancy {
	t.Helper()
	web := harness.StartNginx(t)
	x := &tenancy{url: "http://198.51.100.1:8080/", root: web.Root}
	var sections strings.Builder
	for name, client := range map[string]*string{"blue": &x.blue, "green": &x.green} {
		inside := harness.Namespace(t, name)
		*client = harness.Namespace(t, name+"-client")
		harness.Cable(t, inside, "front", "198.51.100.1/24", *client, "client", "198.51.100.2/24")
		lines := []string{"namespace " + inside}
		if name == "blue" {
			lines = append(lines, budget...)
		}
		sections.WriteString(section("tenant "+name, lines...))
		sections.WriteString(section("listen "+name, "bind 198.51.100.1:8080 namespace "+inside, "server web "+web.Addr))
	}
	text, socket := withSocket(t, config(harness.ReceiveUDP(t), "", sections.String()))
	text = strings.Replace(text, "global\n", fmt.Sprintf("global\n  nbthread %d\n", loops), 1)
	x.socket = socket
	x.Balancer = harness.Start(t, text, harness.Options{Unready: true})
	harness.Eventually(t, "both tenants' listeners", func() bool {
		for _, client := range []string{x.blue, x.green} {
			if _, _, code := x.curl(t, client, "hello"); code != 0 {
				return false
			}
		}
		return true
	})
	harness.Eventually(t, "the end of these flows", func() bool { return x.row(t, "blue")["flows"] == "0" && x.row(t, "green")["flows"] == "0" })
	x.Rebase()
	return x
}

func (x *tenancy) curl(t *testing.T, client, path string, options ...string) (stdout, stderr string, code int) {
	words := slices.Concat(harness.Inside(client), []string{"curl", "-sS", "--max-time", "20"}, options, []string{x.url + path})
	return harness.Exec(t, nil, words[0], words[1:]...)
}

// row gives a tenant's line of "show tenants" by the names of its columns.
func (x *tenancy) row(t *testing.T, tenant string) map[string]string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(operate(t, "unix", x.socket, "show tenants")), "\n")
	names := strings.Fields(strings.TrimPrefix(lines[0], "#"))
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, field := range strings.Fields(line) {
			row[names[i]] = field
		}
		if row["tenant"] == tenant {
			return row
		}
	}
	t.Fatalf("no tenant %s in %q", tenant, lines)
	return nil
}

// big puts a file of so many bytes before the web server.
func (x *tenancy) big(t *testing.T, size int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(x.root, "big"), make([]byte, size), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A tenant's bandwidth is its own: the other one, at the same address and the same server, is not slowed down.
func TestTenantBandwidth(t *testing.T) {
	t.Parallel()
	harness.SluiceOnly(t, harness.Tenants)
	x := startTenancy(t, 2, "bandwidth-out 4m", "maxconn 100")
	const size = 8 << 20
	x.big(t, size)
	took := map[string]time.Duration{}
	for _, client := range []string{x.blue, x.green} {
		begin := time.Now()
		out, stderr, code := x.curl(t, client, "big", "-o", "/dev/null", "-w", "%{size_download}")
		if took[client] = time.Since(begin); code != 0 || out != fmt.Sprint(size) {
			t.Fatalf("%s: %q, %s", client, out, stderr)
		}
	}
	t.Logf("8 MiB at 4 MiB/s took %s, without a limit %s", took[x.blue], took[x.green])
	if took[x.blue] < 1900*time.Millisecond {
		t.Errorf("8 MiB at 4 MiB/s took %s", took[x.blue])
	}
	if took[x.green] >= took[x.blue] {
		t.Errorf("the tenant without a limit took %s", took[x.green])
	}
	blue, green := x.row(t, "blue"), x.row(t, "green")
	if blue["bandwidth_out"] != fmt.Sprint(4<<20) || blue["maxconn"] != "100" || blue["throttled"] == "0" || green["throttled"] != "0" || green["maxconn"] != "-" {
		t.Errorf("%v %v", blue, green)
	}
}

// A tenant's connections: more than its maxconn wait in the kernel, and are served when there is room.
func TestTenantConnections(t *testing.T) {
	t.Parallel()
	harness.SluiceOnly(t, harness.Tenants)
	x := startTenancy(t, 1, "maxconn 3")
	words := slices.Concat(harness.Inside(x.blue), []string{"wrk", "-t1", "-c20", "-d1s", "-H", "Connection: close", x.url + "hello"})
	if out := harness.Run(t, words[0], words[1:]...); !wrkRequests.MatchString(out) || strings.Contains(out, "Socket errors") {
		t.Errorf("wrk met errors:\n%s", out)
	}
	if row := x.row(t, "blue"); row["highest"] != "3" || row["limit_reached"] == "0" {
		t.Errorf("%v", row)
	}
}

var wrkTail = regexp.MustCompile(`99%\s+([\d.]+(?:us|ms|s))`)

// tail is the 99th percentile of green's requests over some connections.
func (x *tenancy) tail(t *testing.T, length string) time.Duration {
	t.Helper()
	words := slices.Concat(harness.Inside(x.green), []string{"wrk", "-t1", "-c4", "-d" + length, "--latency", x.url + "hello"})
	out := harness.Run(t, words[0], words[1:]...)
	m := wrkTail.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("wrk:\n%s", out)
	}
	d, err := time.ParseDuration(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestTenantFlood floods one tenant at ten times its budget and more, and looks at the other's slowest requests, with and without
// the flood in turn. With E2E_MEASURE=1, on a machine with nothing else to do, the bound is the one that is promised.
func TestTenantFlood(t *testing.T) {
	harness.SluiceOnly(t, harness.Tenants)
	rounds, length, bound := 1, "1s", 20.0
	if os.Getenv("E2E_MEASURE") != "" {
		rounds, length, bound = 9, "2s", 1.2
	}
	for _, c := range []struct {
		name, budget string
		flood        []string
	}{
		{"bandwidth", "bandwidth-out 10m", []string{"wrk", "-t1", "-c20", "-d60s", "URL/big"}},
		{"connections", "rate-limit sessions 100", []string{"wrk", "-t1", "-c50", "-d60s", "-H", "Connection: close", "URL/hello"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := startTenancy(t, 1, c.budget)
			x.big(t, 4<<20)
			words := harness.Inside(x.blue)
			for _, word := range c.flood {
				words = append(words, strings.Replace(word, "URL/", x.url, 1))
			}
			var alone, beside []time.Duration
			for range rounds {
				quiet := x.tail(t, length)
				stop := harness.Flood(t, words...)
				time.Sleep(200 * time.Millisecond)
				flooded := x.tail(t, length)
				stop()
				alone, beside = append(alone, quiet), append(beside, flooded)
				t.Logf("99 %% of the other tenant's requests: %s alone, %s beside the flood", quiet, flooded)
			}
			slices.Sort(alone)
			slices.Sort(beside)
			without, with := alone[rounds/2], beside[rounds/2]
			ratio := float64(with) / float64(without)
			row := x.row(t, "blue")
			t.Logf("medians of %d rounds: %s alone, %s beside the flood, ratio %.2f; the flooding tenant: throttled %s times, its rate reached %s times", rounds, without, with, ratio, row["throttled"], row["rate_reached"])
			if ratio > bound {
				t.Errorf("the flood of one tenant makes the other %.2f times slower", ratio)
			}
			if row["throttled"] == "0" && row["rate_reached"] == "0" {
				t.Errorf("the flood did not reach the budget: %v", row)
			}
		})
	}
}
