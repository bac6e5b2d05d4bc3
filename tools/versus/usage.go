package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// usage is what a process's threads have used up to now. A thread that has ended takes its share with it; neither balancer
// ends threads.
type usage struct {
	ran    time.Duration // on a core, exact to the ns
	waited time.Duration // ready to run, but another was running
	user   int64         // clock ticks; sampled by the kernel, so only good for a share
	system int64
}

func (u usage) minus(v usage) usage {
	return usage{u.ran - v.ran, u.waited - v.waited, u.user - v.user, u.system - v.system}
}

// kernelShare is the part of the time that was spent in the kernel, 0 to 1.
func (u usage) kernelShare() float64 {
	if u.user+u.system == 0 {
		return 0
	}
	return float64(u.system) / float64(u.user+u.system)
}

// readUsage sums over the threads of a process.
func readUsage(pid int) (usage, error) {
	var sum usage
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		return sum, fmt.Errorf("process %d is gone", pid)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task + "/stat")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return sum, err
		}
		user, system, err := parseStat(string(stat))
		if err != nil {
			return sum, err
		}
		sum.user, sum.system = sum.user+user, sum.system+system
		// proc(5): /proc/PID/schedstat is there if the kernel has CONFIG_SCHED_INFO. If not, ticks must do.
		schedstat, err := os.ReadFile(task + "/schedstat")
		if err != nil {
			sum.ran += time.Duration(user+system) * tick
			continue
		}
		ran, waited, err := parseSchedstat(string(schedstat))
		if err != nil {
			return sum, err
		}
		sum.ran, sum.waited = sum.ran+ran, sum.waited+waited
	}
	return sum, nil
}

// tick is the unit of the times in /proc: USER_HZ is 100 on all architectures that sluice is built for (time(7)).
const tick = 10 * time.Millisecond

// parseSchedstat reads "ran waited timeslices", in ns (Documentation/scheduler/sched-stats.rst).
func parseSchedstat(s string) (ran, waited time.Duration, err error) {
	fields := strings.Fields(s)
	if len(fields) < 3 {
		return 0, 0, fmt.Errorf("schedstat: %q has no three fields", s)
	}
	a, err1 := strconv.ParseInt(fields[0], 10, 64)
	b, err2 := strconv.ParseInt(fields[1], 10, 64)
	return time.Duration(a), time.Duration(b), errors.Join(err1, err2)
}

// parseStat reads utime and stime of proc(5)'s stat, fields 14 and 15. The name, field 2, may hold anything.
func parseStat(s string) (user, system int64, err error) {
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("stat: %q is too short", s)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return user, system, errors.Join(err1, err2)
}

// core is what one core has done up to now, in ticks.
type core struct{ idle, stolen, total int64 }

func (c core) minus(d core) core {
	return core{c.idle - d.idle, c.stolen - d.stolen, c.total - d.total}
}

// idleShare is 0 to 1.
func (c core) idleShare() float64 {
	if c.total == 0 {
		return 0
	}
	return float64(c.idle) / float64(c.total)
}

// stolenShare is the part that the hypervisor gave to others, 0 to 1.
func (c core) stolenShare() float64 {
	if c.total == 0 {
		return 0
	}
	return float64(c.stolen) / float64(c.total)
}

func readCore(cpu int) (core, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return core{}, err
	}
	return parseCore(string(text), cpu)
}

// parseCore reads a line of proc(5)'s /proc/stat: user nice system idle iowait irq softirq steal guest guest_nice.
func parseCore(text string, cpu int) (core, error) {
	prefix := fmt.Sprintf("cpu%d ", cpu)
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		var c core
		for i, field := range strings.Fields(line)[1:] {
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return core{}, fmt.Errorf("/proc/stat: %w", err)
			}
			switch {
			case i == 3 || i == 4:
				c.idle += n
			case i == 7:
				c.stolen = n
			case i > 7: // guest time is contained in user and nice
				continue
			}
			c.total += n
		}
		return c, nil
	}
	return core{}, fmt.Errorf("/proc/stat has no core %d", cpu)
}
