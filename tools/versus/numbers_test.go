package main

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	for _, c := range []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{3}, 0.5, 3},
		{[]float64{3, 1}, 0.5, 2},
		{[]float64{5, 1, 3}, 0.5, 3},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{4, 1, 3, 2}, 0, 1},
		{[]float64{4, 1, 3, 2}, 1, 4},
		{[]float64{0, 10, 20, 30, 40}, 0.025, 1},
	} {
		if got := quantile(c.values, c.q); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("quantile(%v, %v) = %v, want %v", c.values, c.q, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestBootstrap(t *testing.T) {
	values := []float64{0.91, 0.87, 0.93, 0.88, 0.90, 0.95, 0.86}
	low, high := bootstrap(values, 1)
	if again, andAgain := bootstrap(values, 1); again != low || andAgain != high {
		t.Errorf("the same seed gave %v–%v and %v–%v", low, high, again, andAgain)
	}
	if !(low < 0.90 && 0.90 < high) || low < 0.86 || high > 0.95 {
		t.Errorf("interval %v–%v of values with median 0.90", low, high)
	}
	if low, high := bootstrap([]float64{2, 2, 2}, 1); low != 2 || high != 2 {
		t.Errorf("interval %v–%v of equal values", low, high)
	}
	// A median of three is the least value if that was drawn at least twice: 7 of 27 times, so it bounds the interval.
	if low, high := bootstrap([]float64{1, 2, 3}, 9); low != 1 || high != 3 {
		t.Errorf("interval %v–%v of 1, 2, 3", low, high)
	}
}

// cheap makes a round that costs a and b microseconds per unit.
func cheap(a, b float64) round {
	m := func(c float64) measured {
		return measured{units: 1000, length: time.Second, used: usage{ran: time.Duration(c * 1000 * float64(time.Microsecond))}}
	}
	return round{m(a), m(b)}
}

func TestJudge(t *testing.T) {
	s := &scenario{in: time.Microsecond, target: 0.90}
	bad := cheap(50, 10)
	bad[1].wrong = "Socket errors: connect 1"
	for _, c := range []struct {
		name   string
		rounds []round
		ratio  float64
		want   string
	}{
		{"met", []round{cheap(8, 10), cheap(8.1, 10), cheap(7.9, 10), bad, cheap(8, 10), cheap(8.2, 10)}, 0.8, "yes"},
		{"nearly", []round{cheap(8, 10), cheap(8.5, 10), cheap(8.9, 10), cheap(9.5, 10), cheap(9.6, 10)}, 0.89, "yes, but the interval reaches over it"},
		{"not quite", []round{cheap(8, 10), cheap(8.5, 10), cheap(9.1, 10), cheap(9.5, 10), cheap(9.6, 10)}, 0.91, "no, but the interval reaches it"},
		{"missed", []round{cheap(11, 10), cheap(12, 10), cheap(12, 10), cheap(13, 10), cheap(12, 10)}, 1.2, "no"},
		{"too few", []round{cheap(8, 10), cheap(8, 10), cheap(8, 10), cheap(8, 10), bad}, 0.8, "not said: fewer than 5 rounds"},
	} {
		v := judge(s, c.rounds, 1)
		if math.Abs(v.ratio-c.ratio) > 1e-9 || v.verdict != c.want {
			t.Errorf("%s: ratio %v, %q; want %v, %q", c.name, v.ratio, v.verdict, c.ratio, c.want)
		}
	}
}

func TestTablesMarkWhatIsLeftOut(t *testing.T) {
	b := &bench{options: &options{seed: 1}, subjects: []*subject{{name: "sluice"}, {name: "haproxy"}}}
	s := &scenario{title: "work", unit: "request", in: time.Microsecond, inName: "µs", target: 0.9}
	bad := cheap(50, 10)
	bad[1].wrong = "Socket errors:\nconnect 1"
	var text strings.Builder
	b.tables(&text, []*scenario{s}, [][]round{{cheap(8, 10), bad}})
	for _, want := range []string{"| work | request | 8.00 µs (8.00–8.00) | 10.0 µs (10.0–10.0) | 0.800 (0.800–0.800) | ≤ 0.90 |", "| work | 2 | 1 |",
		"- work, round 2: haproxy: Socket errors: connect 1."} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	text.Reset()
	b.tables(&text, []*scenario{s}, [][]round{{bad}})
	if strings.Contains(text.String(), "NaN") {
		t.Errorf("not a number in\n%s", text.String())
	}
}

func TestDisturbed(t *testing.T) {
	m := measured{length: time.Second, used: usage{waited: 40 * time.Millisecond}, balancer: core{total: 100, stolen: 4}}
	if got := disturbed(&m, 0.05); got != "" {
		t.Errorf("a quiet run: %q", got)
	}
	m.used.waited = 60 * time.Millisecond
	if got := disturbed(&m, 0.05); got != "waited for its core 6 % of the time" {
		t.Errorf("waited: %q", got)
	}
	m.used.waited, m.balancer.stolen = 0, 30
	if got := disturbed(&m, 0.05); got != "the hypervisor took 30 % of its core" {
		t.Errorf("stolen: %q", got)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.4399: "0.440", 18.94: "18.9", 123.4: "123", 4321: "4321"} {
		if got := short(v); got != want {
			t.Errorf("short(%v) = %q, want %q", v, got, want)
		}
	}
}
