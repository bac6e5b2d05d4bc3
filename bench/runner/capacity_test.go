//go:build linux

package runner

import (
	"math"
	"testing"
	"time"
)

func TestFull(t *testing.T) {
	const second = time.Second
	for _, c := range []struct {
		name               string
		units              float64
		ran                time.Duration
		busy               float64
		loops              int
		subject, generator float64
	}{
		{"both at their limit", 50000, second, 1, 1, 50000, 50000},
		{"a generator at its limit", 40000, 800 * time.Millisecond, 1, 1, 50000, 40000},
		{"a subject at its limit", 40000, second, 0.8, 1, 40000, 50000},
		{"two loops", 40000, 1600 * time.Millisecond, 1, 2, 50000, 40000},
		{"nobody did much", 1000, 100 * time.Millisecond, 0.1, 1, 2000, 2000},
		{"no subject", 60000, 0, 1, 1, 60000, 60000},
	} {
		got := full(c.units, second, c.ran, c.busy, c.loops)
		if math.Abs(got.subject-c.subject) > 1 || math.Abs(got.generator-c.generator) > 1 {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestDisturbed(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for _, c := range []struct {
		name                       string
		waited, busy, ran, softirq int
		share                      float64
	}{
		{"alone", 0, 900, 900, 0, 0},
		{"others had the core", 300, 1000, 700, 0, 0.3},
		{"its own threads waited for each other", 300, 1000, 1000, 0, 0},
		{"the kernel worked for it", 50, 1000, 950, 50, 0},
		{"others worked while it slept", 0, 1000, 500, 0, 0},
		{"ticks are rough", 10, 990, 1000, 0, 0},
	} {
		if got := disturbed(ms(c.waited), ms(c.busy), ms(c.ran), ms(c.softirq), time.Second); math.Abs(got-c.share) > 1e-9 {
			t.Errorf("%s: %g instead of %g", c.name, got, c.share)
		}
	}
}
