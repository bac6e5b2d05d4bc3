//go:build linux

package load

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// With Spec.PerTarget latencies are kept for each target, too, and each thread goes from target to target by itself. So connections are
// made to all targets equally often, however long those to one of them take: half of the clients each would leave nothing to those whose
// target always comes last.

// stride is how far a thread goes in the list of targets with each connection.
func (s *Spec) stride() int {
	if s.PerTarget {
		return 1
	}
	return s.Threads
}

// apart makes a histogram for each target.
func (s *Spec) apart() (list []*hdrhistogram.Histogram) {
	if s.PerTarget {
		for range s.Targets {
			list = append(list, newHistogram())
		}
	}
	return list
}

// recordTarget adds nanoseconds to those of c's target.
func (l *loop) recordTarget(c *conn, took int64) {
	if len(l.perTarget) > 0 {
		record(l.perTarget[c.target], took)
	}
}

// perTarget puts the loops' histograms together.
func perTarget(loops []*loop) (list []Latency, err error) {
	for i, all := range loops[0].perTarget {
		for _, l := range loops[1:] {
			all.Merge(l.perTarget[i])
		}
		one, err := distribution(all)
		if err != nil {
			return nil, fmt.Errorf("load: latency of target %d: %w", i, err)
		}
		list = append(list, one)
	}
	return list, nil
}
