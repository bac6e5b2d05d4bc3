//go:build linux

package load

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is what the process (unix.RUSAGE_SELF) or the calling thread (unix.RUSAGE_THREAD) has used so far.
func cpuTime(who int) (user, system time.Duration) {
	var usage unix.Rusage
	if unix.Getrusage(who, &usage) != nil { // fails for a bad argument only
		return 0, 0
	}
	return time.Duration(usage.Utime.Nano()), time.Duration(usage.Stime.Nano())
}

// cores are the CPUs that the load may use.
type cores map[string]bool

func newCores(cpus []int) cores {
	chosen := cores{}
	for _, cpu := range cpus {
		chosen["cpu"+strconv.Itoa(cpu)] = true
	}
	var set unix.CPUSet
	if len(cpus) == 0 && unix.SchedGetaffinity(0, &set) == nil {
		for cpu := range len(set) * 64 {
			if set.IsSet(cpu) {
				chosen["cpu"+strconv.Itoa(cpu)] = true
			}
		}
	}
	return chosen
}

// times sums what /proc/stat has for the cores (proc_stat(5)), in ticks: all time, and that in which nothing ran.
func (c cores) times() (all, idle uint64) {
	file, err := os.Open("/proc/stat")
	if err != nil {
		return 0, 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 9 || !c[fields[0]] {
			continue
		}
		for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal; guest times are in user's
			ticks, _ := strconv.ParseUint(field, 10, 64)
			all += ticks
			if i == 3 || i == 4 {
				idle += ticks
			}
		}
	}
	return all, idle
}

// usage is a moment's reading of everything that is reported as a difference.
type usage struct {
	user, system time.Duration
	all, idle    uint64
}

func (c cores) read() usage {
	var u usage
	u.user, u.system = cpuTime(unix.RUSAGE_SELF)
	u.all, u.idle = c.times()
	return u
}
