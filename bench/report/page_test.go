package report

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/bench/result"
)

// The page in the documentation says what the committed result does. If this fails: make fill-performance.
func TestPageFitsResult(t *testing.T) {
	const page, file = "../../docs/performance.md", "../../docs/performance/bench.json"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var from *Named
	switch read, err := result.Read(file); {
	case err == nil:
		from = &Named{"bench.json", read}
	case !errors.Is(err, fs.ErrNotExist):
		t.Fatal(err)
	}
	filled, err := FillPage(string(text), from)
	if err != nil {
		t.Fatal(err)
	}
	if filled != string(text) {
		t.Errorf("%s does not say what %s does: fill it with make fill-performance", page, file)
	}
	for name := range parts {
		if !strings.Contains(filled, beginMark+name+" -->") {
			t.Errorf("%s has no part '%s'", page, name)
		}
	}
}

func TestFillPage(t *testing.T) {
	const page = "Before.\n<!-- bench: targets -->\nstale\n<!-- end of targets -->\nBetween.\n<!-- bench: standings --><!-- end of standings -->\nAfter.\n"
	filled, err := FillPage(page, &Named{"a.json", example()})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Before.\n<!-- bench: targets -->\n\nAgainst `haproxy` (2.6):", "| keep-alive | CPU of the balancer per request | 8.03 µs (8.00–8.05) | 10.0 µs (10.0–10.1) | 0.800 (0.800–0.801) | ≤ 0.88 | yes |\n",
		"<!-- end of targets -->\nBetween.\n", "ahead 0.800 (0.800–0.801)", "<!-- end of standings -->\nAfter.\n",
	} {
		if !strings.Contains(filled, want) {
			t.Errorf("no %q in\n%s", want, filled)
		}
	}
	if strings.Contains(filled, "stale") {
		t.Errorf("what was there stays:\n%s", filled)
	}
	if again, err := FillPage(filled, &Named{"a.json", example()}); err != nil || again != filled {
		t.Errorf("a second time: %v\n%s", err, again)
	}
	if empty, err := FillPage(filled, nil); err != nil || strings.Count(empty, NotYet) != 2 || strings.Contains(empty, "0.800") {
		t.Errorf("without a result: %v\n%s", err, empty)
	}
	for _, bad := range []string{
		"", "<!-- bench: targets -->", "<!-- end of targets --><!-- bench: targets -->", page + page, "<!-- bench: rumours --><!-- end of rumours -->",
		"<!-- bench: targets --><!-- bench: calls --><!-- end of calls --><!-- end of targets -->",
	} {
		if filled, err := FillPage(bad, nil); err == nil {
			t.Errorf("%q became %q", bad, filled)
		}
	}
}

func TestMet(t *testing.T) {
	for _, c := range []struct {
		r    result.Ratio
		want string
	}{
		{result.Ratio{Value: 0.7, Low: 0.6, High: 0.8, Pairs: 5}, "yes"},
		{result.Ratio{Value: 0.7, Low: 0.6, High: 0.81, Pairs: 5}, "yes, but the interval reaches over it"},
		{result.Ratio{Value: 0.9, Low: 0.8, High: 1, Pairs: 5}, "no, but the interval reaches it"},
		{result.Ratio{Value: 0.9, Low: 0.81, High: 1, Pairs: 5}, "no"},
		{result.Ratio{Value: 0.1, Low: 0.1, High: 0.1, Pairs: 4, Left: 6}, "not said: 4 of 10 pairs count"},
	} {
		if got := met(c.r, 0.8); got != c.want {
			t.Errorf("%+v: %s, want %s", c.r, got, c.want)
		}
	}
}

func TestStanding(t *testing.T) {
	for _, c := range []struct {
		r      result.Ratio
		higher bool
		want   string
	}{
		{result.Ratio{Value: 0.7, Low: 0.6, High: 0.99, Pairs: 5}, false, "ahead"},
		{result.Ratio{Value: 0.7, Low: 0.6, High: 0.99, Pairs: 5}, true, "behind"},
		{result.Ratio{Value: 0.9, Low: 0.8, High: 1.1, Pairs: 5}, false, "even"},
		{result.Ratio{Value: 1.2, Low: 1.1, High: 1.3, Pairs: 5}, false, "behind"},
		{result.Ratio{Value: 1.2, Low: 1.1, High: 1.3, Pairs: 4}, false, "?"},
	} {
		if got := standing(c.r, c.higher); got != c.want {
			t.Errorf("%+v, higher is better: %v: %s, want %s", c.r, c.higher, got, c.want)
		}
	}
}

func TestCallsAndProfiles(t *testing.T) {
	f := example()
	s := &f.Scenarios[0]
	s.Runs = append(s.Runs,
		result.Run{Round: -1, Subject: "sluice", Units: 1000, Values: map[string]float64{"calls": 4.5}, Calls: map[string]int64{"recvfrom": 2000, "sendto": 2100, "getpid": 4}},
		result.Run{Round: -1, Subject: "haproxy", Units: 100, Values: map[string]float64{"calls": 5}, Calls: map[string]int64{"recvfrom": 200, "clock_gettime": 300}},
		result.Run{Round: -1, Subject: "sluice", Units: 1000, Profile: &result.Profile{Samples: 200, Outside: 30, Top: []result.Symbol{
			{Name: "tcp_ack", Kernel: true, Samples: 100}, {Name: "lb/flow.(*Flow).move", Samples: 30},
		}}},
	)
	p := &part{document: &document{}, file: f, reference: "haproxy"}
	p.inside(s)
	text := p.markdown()
	for _, want := range []string{
		"| system calls per request | sluice | haproxy |\n|---|---|---|\n| `clock_gettime` | – | 3.00 |\n| `sendto` | 2.10 | – |\n| `recvfrom` | 2.00 | 2.00 |\n| others | 0.40 | – |\n| all | 4.50 | 5.00 |\n",
		"| in % of its time | sluice |\n", "| all outside the kernel | 15.0 |\n", "| 1 | 50.0 `tcp_ack` |\n| 2 | 15.0 **`lb/flow.(*Flow).move`** |\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "getpid") {
		t.Errorf("rare calls are shown:\n%s", text)
	}
	// A look does not count as a run.
	if runs, _, _ := s.Count("sluice"); runs != 7 || len(s.Values("sluice", "cpu")) != 6 {
		t.Errorf("%d runs", runs)
	}
}
