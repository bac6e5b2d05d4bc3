//go:build linux

package runner

import (
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// softirqPIDs are the numbers of the kernel's threads "ksoftirqd/N", by core. None are there where a container hides them.
var softirqPIDs = sync.OnceValue(func() map[int]int {
	found := map[int]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, file := range files {
		var core int
		if _, err := fmt.Sscanf(read(file), "ksoftirqd/%d", &core); err != nil {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			found[core] = pid
		}
	}
	return found
})

func softirqThreads(cores []int) (pids []int) {
	for _, core := range cores {
		if pid := softirqPIDs()[core]; pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// disturbed is the share of the time for which a balancer had to wait for others on its cores. waited alone would blame them for more: a
// balancer's threads wait for each other, too, and for the kernel's thread that does a part of their own network work. What others ran
// there is what is left of the time that the cores were busy, which is rough (clock ticks). The smaller of the two is certain.
func disturbed(waited, busy, ran, softirq, length time.Duration) float64 {
	return max(0, min(waited-softirq, busy-ran-softirq).Seconds()/length.Seconds())
}
