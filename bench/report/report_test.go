package report

import (
	"bytes"
	"encoding/xml"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/bench/result"
)

// example is a result of sluice and haproxy with seven rounds, the last of which is marked for sluice.
func example() *result.File {
	s := result.Scenario{
		Name: "keepalive-10", Title: "keep-alive", Why: "Because <b>.", Unit: "request", Main: []string{"cpu", "machine", "rate"}, Target: 0.88, Loops: 1, Network: "loopback",
		Configurations: map[string]string{"sluice": "nbthread 1\n"},
	}
	for round := range 7 {
		for i, name := range []string{"direct", "sluice", "haproxy"} {
			cpu := []float64{0, 8000, 10000}[i] + float64(10*round)
			r := result.Run{Round: round, Subject: name, Units: 1000, Values: map[string]float64{"machine": 3 * cpu, "rate": 50000}}
			if i > 0 {
				r.Values["cpu"], r.Values["cpu_user"], r.Values["cpu_system"] = cpu, cpu/10, cpu*9/10
			}
			if round == 6 && name == "sluice" {
				r.Values["cpu"] = 99e9
				r.Marks = []string{"the load met errors: 5 reset"}
			}
			s.Runs = append(s.Runs, r)
		}
	}
	return &result.File{
		Version: result.Version, Rounds: 7, Tolerate: 0.05,
		Subjects:  []result.Subject{{Name: "direct", Kind: "direct"}, {Name: "sluice", Kind: "sluice"}, {Name: "haproxy", Kind: "haproxy", Version: "2.6"}},
		Missing:   []result.Missing{{Name: "nginx", Reason: "not installed"}},
		Scenarios: []result.Scenario{s},
	}
}

func TestWrite(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "new")
	written, err := Write(directory, []Named{{"a.json", example()}, {"b.json", example()}})
	if err != nil {
		t.Fatal(err)
	}
	if len(written) != 6 {
		t.Errorf("written: %q", written)
	}
	markdown, err := os.ReadFile(filepath.Join(directory, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| keep-alive | CPU of the balancer per request | 0.800 (0.800–0.801) | ≤ 0.88: yes |", "| sluice | 8.03 µs (8.00–8.05) |", "6 of 7", "left out: nginx: not installed",
		"keepalive-10, sluice: the load met errors: 5 reset", "![CPU per request](1-keepalive-10-cpu.svg)", "nbthread 1",
	} {
		if !strings.Contains(string(markdown), want) {
			t.Errorf("no %q in\n%s", want, markdown)
		}
	}
	for _, name := range regexp.MustCompile(`\]\((\S+\.svg)\)`).FindAllStringSubmatch(string(markdown), -1) {
		wellFormed(t, filepath.Join(directory, name[1]))
	}
	page, err := os.ReadFile(filepath.Join(directory, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range regexp.MustCompile(`(src|href)="([^"]*)"`).FindAllStringSubmatch(string(page), -1) {
		if !strings.HasPrefix(html.UnescapeString(source[2]), "data:image/svg+xml;base64,") {
			t.Errorf("the page is not self-contained: %.80s", source[0])
		}
	}
	if strings.Contains(string(page), "<b>") || strings.Count(string(page), "<img") != 4 {
		t.Errorf("the page: %d images", strings.Count(string(page), "<img"))
	}
}

func wellFormed(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := d.Token(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
}

func TestSummaryAndDiff(t *testing.T) {
	var summary bytes.Buffer
	Summary(&summary, example())
	if !strings.Contains(summary.String(), "0.800 (0.800–0.801)") || !strings.Contains(summary.String(), "6 of 7") {
		t.Error(summary.String())
	}
	worse := example()
	for _, r := range worse.Scenarios[0].Runs {
		if r.Subject == "sluice" {
			r.Values["cpu"] *= 1.2
		}
	}
	var same, more bytes.Buffer
	Diff(&same, example(), example(), "", false)
	Diff(&more, example(), worse, "haproxy", false)
	if !strings.HasPrefix(same.String(), "0 of ") {
		t.Error(same.String())
	}
	if !strings.Contains(more.String(), "more") || !strings.Contains(more.String(), "1.200") {
		t.Error(more.String())
	}
}

func TestShow(t *testing.T) {
	for _, c := range []struct {
		kind result.Kind
		v    float64
		want string
	}{
		{result.Nanoseconds, 11300, "11.3 µs"}, {result.Nanoseconds, 0, "0 ns"}, {result.Nanoseconds, 2.5e9, "2.50 s"}, {result.Bytes, 3584, "3.50 KiB"},
		{result.PerSecond, 51234, "51.2 k/s"}, {result.Number, 4.08, "4.08"}, {result.Share, 0.5, "50.0 %"}, {result.Bytes, -300, "-300 B"},
	} {
		if got := show(c.kind, c.v); got != c.want {
			t.Errorf("%v: %s, want %s", c.v, got, c.want)
		}
	}
}
