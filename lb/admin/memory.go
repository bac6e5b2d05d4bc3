package admin

import (
	"runtime/metrics"
	"strings"
)

// memoryPrefix and memorySuffix stand around the classes of memory that the runtime tells apart.
const memoryPrefix, memorySuffix = "/memory/classes/", ":bytes"

// showPools tells what the process's memory is used for, as far as the Go runtime knows: there are no pools of fixed sizes.
func (s *session) showPools([]string) {
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		if strings.HasPrefix(d.Name, memoryPrefix) && d.Kind == metrics.KindUint64 {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	s.answer.printf("Memory got from the system, by what it is used for:\n")
	total := uint64(0)
	for _, m := range samples {
		name := strings.TrimSuffix(strings.TrimPrefix(m.Name, memoryPrefix), memorySuffix)
		if name == "total" {
			total = m.Value.Uint64()
			continue
		}
		s.answer.printf("  - %-24s: %d bytes\n", name, m.Value.Uint64())
	}
	s.answer.printf("Total: %d bytes\n", total)
}
