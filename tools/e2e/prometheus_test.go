package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// answer is what Prometheus says to a query.
type answer struct {
	Status, Error string
	Data          struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any
		}
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
}

func askPrometheus(t *testing.T, address, path string) (a answer) {
	t.Helper()
	said, err := http.Get("http://" + address + path)
	if err != nil {
		return answer{Error: err.Error()}
	}
	defer said.Body.Close()
	if err := json.NewDecoder(said.Body).Decode(&a); err != nil {
		a.Error = err.Error()
	}
	return a
}

// A real Prometheus takes examples/prometheus.yml with its rules, scrapes sluice, and answers every query of the dashboard.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	harness.SluiceOnly(t, harness.StatisticsPage)
	prometheus, promtool := program(t, "prometheus"), program(t, "promtool")
	harness.Run(t, promtool, "check", "config", "../../examples/prometheus.yml")

	logs, address := harness.ReceiveUDP(t), harness.Loopback(t)
	text, scraped := withStatistics(t, config(logs, "", section("listen shop", "bind "+address,
		"server anna "+harness.Serve(t, harness.Echo).Addr+" check inter 100ms maxconn 50", "server otto 127.0.0.1:1 disabled")))
	harness.Start(t, text)
	dir := t.TempDir()
	for _, name := range []string{"prometheus.yml", "prometheus-rules.yml"} {
		data, err := os.ReadFile("../../examples/" + name)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.NewReplacer("127.0.0.1:8404", scraped, "15s", "1s").Replace(string(data))
		harness.WriteFile(t, filepath.Join(dir, name), changed)
	}
	listen := harness.Loopback(t)
	cmd := exec.Command(prometheus, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+listen, "--log.level=error")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output := &lockedText{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	query := func(text string) answer {
		return askPrometheus(t, listen, "/api/v1/query?query="+url.QueryEscape(text))
	}
	harness.Eventually(t, "Prometheus has two scrapes with traffic between them", func() bool {
		c := harness.DialTCP(t, address)
		harness.Exchange(t, c, "hello")
		c.Close()
		a := query(`rate(haproxy_server_loadbalanced_total{server="anna"}[1m]) > 0`)
		return len(a.Data.Result) == 1
	})

	data, err := os.ReadFile("../../examples/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "1m", "$__range", "1m", "$__interval", "1m", "$instance", ".*", "$proxy", ".*", "$server", ".*")
	mayBeEmpty := regexp.MustCompile(`> 0\b|nameserver`)
	asked := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			text := fill.Replace(target.Expr)
			a := query(text)
			if a.Status != "success" || len(a.Data.Result) == 0 && !mayBeEmpty.MatchString(text) {
				t.Errorf("%s: %s: %d series, %s %s", p.Title, text, len(a.Data.Result), a.Status, a.Error)
			}
			asked++
		}
	}
	for _, x := range board.Annotations.List {
		if a := query(fill.Replace(x.Expr)); a.Status != "success" {
			t.Errorf("%s: %s", x.Expr, a.Error)
		}
	}
	if asked < 50 {
		t.Errorf("%d queries", asked)
	}
	harness.Eventually(t, "Prometheus has evaluated the rules", func() bool {
		a := askPrometheus(t, listen, "/api/v1/rules")
		good := 0
		for _, g := range a.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "err" {
					t.Fatalf("%s: %s", r.Name, r.LastError)
				}
				if r.Health == "ok" {
					good++
				}
			}
		}
		return good >= 10
	})
}
