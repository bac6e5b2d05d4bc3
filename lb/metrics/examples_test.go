package metrics

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// exported is what a scrape has: of each name that a query may use the labels, and of each label the values.
type exported map[string]map[string][]string

func export(t *testing.T) exported {
	all := make(exported)
	for name, family := range scrape(t, exporter(newFake(t, testConfig)), "") {
		labels := map[string][]string{"instance": nil, "job": nil}
		for _, m := range family.Metric {
			for _, l := range m.Label {
				labels[l.GetName()] = append(labels[l.GetName()], l.GetValue())
			}
		}
		all[name] = labels
		switch family.GetType() {
		case dto.MetricType_SUMMARY, dto.MetricType_HISTOGRAM:
			all[name+"_sum"], all[name+"_count"] = labels, labels
		}
		if family.GetType() == dto.MetricType_HISTOGRAM {
			of := maps.Clone(labels)
			for _, b := range family.Metric[0].Histogram.Bucket {
				of["le"] = append(of["le"], strings.TrimSuffix(json.Number(number(b.GetUpperBound())).String(), ".0"))
			}
			all[name+"_bucket"] = of
		}
	}
	return all
}

func number(v float64) string { text, _ := json.Marshal(v); return string(text) }

var (
	selector = regexp.MustCompile(`\b((?:haproxy|sluice|go|process)_[a-z0-9_]+)(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-zA-Z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\bby \(([^)]*)\)`)
)

// check tells what a query has that nothing exports.
func (all exported) check(query string) (wrong []string) {
	say := func(format string, of ...any) {
		wrong = append(wrong, fmt.Sprintf("%s\n\t"+format, append([]any{query}, of...)...))
	}
	found := make(map[string]bool) // labels of any name in the query
	names := selector.FindAllStringSubmatch(query, -1)
	for _, m := range names {
		labels, known := all[m[1]]
		if !known {
			say("%s is not exported", m[1])
			continue
		}
		for label := range labels {
			found[label] = true
		}
		for _, by := range matcher.FindAllStringSubmatch(m[2], -1) {
			values, known := labels[by[1]]
			if !known || by[2] == "=" && values != nil && !slices.Contains(values, by[3]) {
				say("%s has no label %s", m[1], by[0])
			}
		}
	}
	if len(names) == 0 && !strings.HasPrefix(query, "up{") {
		say("names nothing that is exported")
	}
	for _, by := range grouping.FindAllStringSubmatch(query, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			if !found[strings.TrimSpace(label)] {
				say("nothing there has the label %s", label)
			}
		}
	}
	return wrong
}

func (all exported) mustMatch(t *testing.T, query string) {
	t.Helper()
	for _, complaint := range all.check(query) {
		t.Error(complaint)
	}
}

// Every query of the dashboard matches what is exported, by name and labels; panels do not overlap; everything of ours is shown
// somewhere.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("../../examples/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Type, Definition string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	if err := json.Unmarshal(data, &board); err != nil {
		t.Fatal(err)
	}
	all, queries := export(t), 0
	ids, taken := make(map[int]bool), make(map[[2]int]string)
	for _, p := range board.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q: the number is another's, or it has no title", p.ID, p.Title)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Errorf("%q lies on %q or leaves the page", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for _, target := range p.Targets {
			all.mustMatch(t, target.Expr)
			queries++
		}
	}
	for _, a := range board.Annotations.List {
		all.mustMatch(t, a.Expr)
	}
	variables := 0
	for _, v := range board.Templating.List {
		if label, name := regexp.MustCompile(`, (\w+)\)$`).FindStringSubmatch(v.Definition), v.Name; v.Type == "query" {
			variables++
			if label == nil || label[1] != name {
				t.Errorf("variable %s: %s", name, v.Definition)
			}
			if selector.MatchString(v.Definition) && !strings.Contains(v.Definition, "__name__") {
				all.mustMatch(t, v.Definition)
			}
		}
	}
	if queries < 50 || variables != 3 {
		t.Errorf("%d queries, %d variables", queries, variables)
	}
}

// The same of the alerts.
func TestRules(t *testing.T) {
	data, err := os.ReadFile("../../examples/prometheus-rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	all := export(t)
	rules := regexp.MustCompile(`(?s)expr: (.*?)\n {8}[a-z]+:`).FindAllStringSubmatch(string(data), -1)
	if len(rules) != strings.Count(string(data), "- alert: ") || len(rules) < 10 {
		t.Fatalf("%d rules", len(rules))
	}
	for _, rule := range rules {
		all.mustMatch(t, rule[1])
	}
}

// What the check finds, so that the tests above cannot pass by accident.
func TestCheckOfQueries(t *testing.T) {
	all := export(t)
	all.mustMatch(t, `sum by (le, proxy) (rate(sluice_backend_connect_time_seconds_bucket{proxy="be", le="0.001"}[1m]))`)
	for _, wrong := range []string{
		`haproxy_backend_nothing`, `haproxy_backend_status{color="red"}`, `haproxy_backend_status{state="GREEN"}`, `sum by (server) (haproxy_backend_status)`, `1 + 1`,
		`sluice_backend_connect_time_seconds_bucket{le="0.3"}`,
	} {
		if all.check(wrong) == nil {
			t.Errorf("%s passes", wrong)
		}
	}
}
