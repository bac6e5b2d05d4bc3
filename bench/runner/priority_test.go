//go:build linux

package runner_test

import (
	"testing"
	"time"

	"github.com/sluice-lb/sluice/bench/runner"
	"github.com/sluice-lb/sluice/bench/scenario"
	"github.com/sluice-lb/sluice/bench/subject"
)

// Who is urgent waits for less than who is patient, in each balancer that knows classes.
func TestPriorities(t *testing.T) {
	s, err := scenario.Choose("queue-priority")
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range find(t, "sluice", "haproxy") {
		o := options(t, s, []*subject.Subject{one})
		o.Length, o.Warmup = 300*time.Millisecond, 100*time.Millisecond
		f, err := runner.Run(t.Context(), o)
		for ; err == nil && tooShort(f) && o.Length < 4*time.Second; f, err = runner.Run(t.Context(), o) {
			o.Length, o.Warmup = 4*o.Length, 4*o.Warmup
		}
		if err != nil {
			t.Fatal(err)
		}
		check(t, f, s[0])
		run := f.Scenarios[0].Runs[0]
		v := run.Values
		if v["urgent_mean"] <= 0 || v["urgent_mean"] > v["patient_mean"]/2 || v["urgent_p99"] > v["patient_p99"] {
			t.Errorf("%s: the urgent took %v (mean) and %v (p99), the patient %v and %v", run.Subject, v["urgent_mean"], v["urgent_p99"], v["patient_mean"], v["patient_p99"])
		}
	}
}
