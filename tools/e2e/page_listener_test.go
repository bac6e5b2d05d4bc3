package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// fetch asks a URL for its code and body; 0: nobody answered.
func fetch(url string) (int, string) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

// Statistics listeners are frontends that the operator sees, pauses and resumes, and scripts read from them what the socket says.
func TestStatisticsListeners(t *testing.T) {
	harness.SluiceOnly(t, harness.StatisticsPage)
	page, exporter, short := harness.Loopback(t), harness.Loopback(t), harness.Loopback(t)
	socket, unix := filepath.Join(harness.ShortDir(t), "s"), filepath.Join(harness.ShortDir(t), "p")
	b := harness.Start(t, "global\n  stats socket "+socket+" level admin\n  stats listen "+short+"\n  stats listen unix@"+unix+" mode 600 admin\n"+
		"defaults\n  mode http\n  option httplog\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n"+
		section("listen stats", "bind "+page, "stats enable", "stats scope shop", "monitor-uri /alive")+
		section("frontend exporter", "bind "+exporter, "http-request use-service prometheus-exporter if { path /metrics }")+
		section("listen shop", "mode tcp", "bind "+harness.Loopback(t), "server one "+harness.Serve(t, harness.Echo).Addr),
		harness.Options{Leaky: "a paused listener's port may be looked at while it closes"})

	if code, body := fetch("http://" + page + "/alive"); code != 200 {
		t.Errorf("alive: %d %s", code, body)
	}
	if code, body := fetch("http://" + exporter + "/metrics"); code != 200 || !strings.Contains(body, "haproxy_process_uptime_seconds") {
		t.Errorf("metrics: %d %.200s", code, body)
	}
	if code, _ := fetch("http://" + exporter + "/haproxy?stats"); code != 404 {
		t.Errorf("an exporter without a page answers %d", code)
	}
	if code, body := fetch("http://" + short + "/"); code != 200 || !strings.Contains(body, "</html>") {
		t.Errorf("the way from / to the page: %d %.200s", code, body)
	}
	if code, body := fetch("http://" + short + "/metrics"); code != 200 || !strings.Contains(body, "haproxy_server_status") {
		t.Errorf("metrics beside the page: %d %.200s", code, body)
	}
	shop := func(text string) string { // the lines of what no one but the shop's clients changes
		var lines []string
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "shop,") {
				lines = append(lines, line)
			}
		}
		return strings.Join(lines, "")
	}
	harness.Eventually(t, "the same bytes", func() bool { // the second may turn between the two
		code, body := fetch("http://" + page + "/haproxy?stats;csv")
		return code == 200 && len(body) > 1000 && body == shop(body) && body == shop(operate(t, "unix", socket, "show stat"))
	})
	if body := operate(t, "unix", socket, "show stat stats 1 -1"); !strings.Contains(body, "\nstats,FRONTEND,") || !strings.Contains(body, ",http,") {
		t.Errorf("the listener's own row:\n%s", body)
	}

	if said := operate(t, "unix", socket, "disable frontend stats"); strings.TrimSpace(said) != "" {
		t.Error(said)
	}
	if code, body := fetch("http://" + page + "/alive"); code != 0 {
		t.Errorf("a paused listener answers %d %s", code, body)
	}
	if l, err := net.Listen("tcp", page); err != nil {
		t.Errorf("its port is not free: %v", err)
	} else {
		l.Close()
	}
	if got := operate(t, "unix", socket, "show stat stats 1 -1"); !strings.Contains(got, ",PAUSED,") {
		t.Errorf("paused:\n%s", got)
	}
	if said := operate(t, "unix", socket, "enable frontend stats"); strings.TrimSpace(said) != "" {
		t.Error(said)
	}
	harness.Eventually(t, "an answer after the pause", func() bool { code, _ := fetch("http://" + page + "/alive"); return code == 200 })

	// On a unix socket nobody has an address; who may open it may change servers.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", unix) }}}
	answer, err := client.Get("http://local/stats;data")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(answer.Body)
	answer.Body.Close()
	if !strings.Contains(string(body), `"admin":true`) {
		t.Errorf("%.300s", body)
	}

	if said := operate(t, "unix", socket, "shutdown frontend stats"); strings.TrimSpace(said) != "" {
		t.Error(said)
	}
	if code, _ := fetch("http://" + page + "/alive"); code != 0 {
		t.Errorf("a listener that was shut down answers %d", code)
	}
	b.Stderr.WaitText(t, "Proxy stats stopped (cumulated conns: FE: ")
}

// What a file with a statistics listener from HAProxy's own time says when it is checked.
func TestStatisticsListenersAreChecked(t *testing.T) {
	harness.SluiceOnly(t, harness.StatisticsPage)
	file := filepath.Join(harness.ShortDir(t), "c.cfg")
	for _, test := range []struct {
		lines string
		code  int
		says  string
	}{
		{"stats enable\n stats uri /\n stats refresh 10s\n stats auth admin:admin\n stats admin if TRUE", 0, ""},
		{"stats enable\n stats admin if TRUE", 0, "'stats admin' without 'stats auth'"},
		{"stats enable\n stats admin if trusted", 1, "the condition 'trusted' is known to HAProxy but not yet supported"},
		{"stats enable\n default_backend x", 1, "'default_backend' cannot stand in a statistics listener"},
		{"option forwardfor", 1, "'mode' cannot be 'http', but for statistics listeners ('stats enable'): sluice balances TCP only"},
	} {
		harness.WriteFile(t, file, fmt.Sprintf("listen s\n mode http\n bind 127.0.0.1:8404\n %s\nbackend x\n", test.lines))
		_, stderr, code := harness.RunSubject(t, "-c", "-f", file)
		if code != test.code || !strings.Contains(stderr, test.says) || test.says == "" && stderr != "" {
			t.Errorf("%s\nexit code %d:\n%s", test.lines, code, stderr)
		}
	}
}
