package e2e

import (
	"io"
	"math"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// get asks a statistics listener for something.
func get(t *testing.T, address, path string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %.200s", path, answer.Status, err, text)
	}
	return string(text)
}

// series reads samples by their name and labels, and types of families; histograms are left out.
func series(t *testing.T, text string) (samples map[string]float64, types map[string]dto.MetricType) {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	samples, types = make(map[string]float64), make(map[string]dto.MetricType)
	for name, family := range all {
		types[name] = family.GetType()
		for _, m := range family.Metric {
			if m.Histogram != nil || m.Summary != nil {
				continue
			}
			labels := ""
			for _, l := range m.Label {
				labels += " " + l.GetName() + "=" + l.GetValue()
			}
			samples[name+labels] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return samples, types
}

// Families that haproxy has and sluice has not, by a part of their names, and why.
var metricsMissing = map[string]string{
	"haproxy_frontend_http_": "haproxy has them for proxies in mode http, which here is only for statistics",
	"_intercepted_requests":  "the same",
	"_sticktable_":           "there are no stick tables yet",
}

// Families whose values are not equal after the same traffic, by a part of their names, and why.
var metricsDifferent = map[string]string{
	"haproxy_process_":   "the processes differ: memory, descriptors, connections of the exporter's own",
	"proxy=metrics":      "haproxy's exporter is a proxy like any other; here it is beside the loops",
	"_seconds":           "times",
	"_last_session_":     "times",
	"_rate":              "haproxy's window slides, ours is looked at once a second",
	"_check_duration_":   "times",
	"_need_connections_": "an estimate for idle connections, which are not kept here",
	"_used_connections_": "haproxy counts at the connection, sluice at the slot",
	"_max_sessions":      "when a session ends depends on the order in which the two ends are seen",
}

func reason(of map[string]string, series string) bool {
	for part := range of {
		if strings.Contains(series, part) {
			return true
		}
	}
	return false
}

// After the same traffic on the same configuration the two exporters have the same families, types, labels and values.
func TestMetricsLikeHAProxy(t *testing.T) {
	if harness.Subject.HAProxy {
		t.Skip("this compares the two")
	}
	we, they := compare(t)
	read := func(c *compared, start func()) (map[string]float64, map[string]dto.MetricType) {
		address := harness.Loopback(t)
		c.more = "frontend metrics\n  mode http\n  option socket-stats\n  bind " + address + "\n  http-request use-service prometheus-exporter if { path /metrics }\n" +
			"listen counted\n  bind " + harness.Loopback(t) + " name first\n  bind " + harness.Loopback(t) + "\n  option socket-stats\n  server z " + c.good + "\n"
		start()
		c.traffic(t)
		return series(t, get(t, address, "/metrics"))
	}
	ours, ourTypes := read(&we, func() { harness.Start(t, we.config()) })
	theirs, theirTypes := read(&they, func() { they.startHAProxy(t) })
	for name, kind := range theirTypes {
		if ours, found := ourTypes[name]; reason(metricsMissing, name) == found || found && ours != kind {
			t.Errorf("%s: there: %v, %v; haproxy has a %v", name, found, ours, kind)
		}
	}
	compared := 0
	for name, value := range theirs {
		v, found := ours[name]
		switch {
		case reason(metricsMissing, name) || strings.HasPrefix(name, "haproxy_process_build_info"):
		case !found:
			t.Errorf("%s is missing", name)
		case !reason(metricsDifferent, name) && v != value && !(math.IsNaN(v) && math.IsNaN(value)):
			t.Errorf("%s is %v, and haproxy has %v", name, v, value)
		case !reason(metricsDifferent, name):
			compared++
		}
	}
	for name := range ours {
		if _, found := theirs[name]; !found && strings.HasPrefix(name, "haproxy_") && !strings.HasPrefix(name, "haproxy_process_build_info") {
			t.Errorf("haproxy has no %s", name)
		}
	}
	if compared < 300 {
		t.Errorf("only %d series were compared", compared)
	}
	for _, none := range [][2]map[string]string{{metricsMissing}, {metricsDifferent}} {
		for part := range none[0] {
			if part != "_sticktable_" && !slices.ContainsFunc(keys(theirs), func(name string) bool { return strings.Contains(name, part) }) {
				t.Errorf("nothing of haproxy's has %q in its name: the difference is none", part)
			}
		}
	}
}

func keys(of map[string]float64) (all []string) {
	for key := range of {
		all = append(all, key)
	}
	return all
}

// withStatistics adds a statistics listener.
func withStatistics(t *testing.T, text string) (string, string) {
	t.Helper()
	address := harness.Loopback(t)
	return strings.Replace(text, "global\n", "global\n  stats listen "+address+"\n", 1), address
}

// Prometheus' own checker reads all, and finds nothing to blame but a name that is HAProxy's.
func TestPromtoolReadsMetrics(t *testing.T) {
	t.Parallel()
	harness.SluiceOnly(t, harness.StatisticsPage)
	promtool := program(t, "promtool")
	logs, address := harness.ReceiveUDP(t), harness.Loopback(t)
	text, scraped := withStatistics(t, config(logs, "", section("listen shop", "bind "+address, "server anna "+harness.Serve(t, harness.Echo).Addr+" check")))
	harness.Start(t, text)
	c := harness.DialTCP(t, address)
	harness.Exchange(t, c, "hello")
	c.Close()
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(get(t, scraped, "/metrics"))
	out, err := cmd.CombinedOutput()
	if string(out) != "haproxy_process_failed_resolutions counter metrics should have \"_total\" suffix\n" {
		t.Errorf("%v: %s", err, out)
	}
}

func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		harness.Skip(t, name+" is not installed")
	}
	return path
}
