package lb

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/poller"
)

// DefaultLoops is the number of loops when the configuration names none: one for each CPU of the affinity mask, and no more
// than the CPU time that the container's quota grants, rounded up. Call it on a thread that is not bound to a CPU.
//
// GOMAXPROCS is no substitute: it is at least 2 under a quota, and users set it for other reasons.
func DefaultLoops() int {
	cpus, err := poller.CPUs()
	loops := len(cpus)
	if err != nil || loops == 0 {
		loops = 1
	}
	if quota := cpuQuota("/proc/self/cgroup", "/sys/fs/cgroup"); quota > 0 {
		loops = min(loops, max(int(math.Ceil(quota)), 1))
	}
	return loops
}

// cpuQuota is the lowest CPU quota of the process's control group and those above it, in CPUs; 0: none.
//
// See the kernel's Documentation/admin-guide/cgroup-v2.rst, cpu.max, and for version 1 scheduler/sched-bwc.rst. A container
// often sees its own group mounted as the root, while its /proc/self/cgroup has the host's path: files that are not there
// are passed over on the way up to the root.
func cpuQuota(membership, root string) float64 {
	data, err := os.ReadFile(membership)
	if err != nil {
		return 0
	}
	lowest := 0.0
	lower := func(quota float64) {
		if quota > 0 && (lowest == 0 || quota < lowest) {
			lowest = quota
		}
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		controllers, path := fields[1], filepath.Clean("/"+fields[2])
		switch {
		case fields[0] == "0" && controllers == "":
			ascend(path, func(group string) { lower(quotaV2(filepath.Join(root, group, "cpu.max"))) })
		case strings.Contains(","+controllers+",", ",cpu,"):
			ascend(path, func(group string) { lower(quotaV1(filepath.Join(root, "cpu", group))) })
		}
	}
	return lowest
}

// ascend calls visit for a path and all above it, the root last.
func ascend(path string, visit func(string)) {
	for {
		visit(path)
		if path == "/" {
			return
		}
		path = filepath.Dir(path)
	}
}

// quotaV2 reads "QUOTA PERIOD" in microseconds, or "max PERIOD".
func quotaV2(file string) float64 {
	data, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	var quota, period float64
	if _, err := fmt.Sscan(string(data), &quota, &period); err != nil || quota <= 0 || period <= 0 {
		return 0
	}
	return quota / period
}

// quotaV1 reads the two files of version 1; a quota of -1 is none.
func quotaV1(directory string) float64 {
	read := func(name string) float64 {
		data, _ := os.ReadFile(filepath.Join(directory, name))
		value, _ := strconv.ParseFloat(strings.TrimSpace(string(data)), 64)
		return value
	}
	quota, period := read("cpu.cfs_quota_us"), read("cpu.cfs_period_us")
	if quota <= 0 || period <= 0 {
		return 0
	}
	return quota / period
}
