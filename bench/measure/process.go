//go:build linux

// Package measure reads what processes and the machine have used, out of /proc. Everything is a running total, except memory;
// the difference of two readings is what happened between them.
package measure

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

// Process is what processes have used since they started, over all their threads. A thread that has ended takes its share with it.
type Process struct {
	Ran      time.Duration // on a core, exact to the ns where the kernel has CONFIG_SCHED_INFO
	Waited   time.Duration // ready to run while something else did
	Switches int64         // context switches: voluntary and not

	// user and system are clock ticks, sampled by the kernel: good for a share of Ran, not for more.
	user, system int64
}

// Minus is what happened between v and p.
func (p Process) Minus(v Process) Process {
	return Process{p.Ran - v.Ran, p.Waited - v.Waited, p.Switches - v.Switches, p.user - v.user, p.system - v.system}
}

func (p Process) plus(v Process) Process {
	return Process{p.Ran + v.Ran, p.Waited + v.Waited, p.Switches + v.Switches, p.user + v.user, p.system + v.system}
}

// System is the part of Ran that was spent in the kernel: Ran, divided in proportion to the clock ticks, as the kernel itself
// does for getrusage (kernel/sched/cputime.c).
func (p Process) System() time.Duration {
	if p.user+p.system == 0 {
		return 0
	}
	return time.Duration(float64(p.Ran) * float64(p.system) / float64(p.user+p.system))
}

// tick is the unit of the times in /proc: USER_HZ is 100 on every architecture that Go knows (time(7)).
const tick = 10 * time.Millisecond

// ReadProcesses sums over all threads of processes. All must be there.
func ReadProcesses(pids []int) (sum Process, err error) {
	for _, pid := range pids {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil || len(tasks) == 0 {
			return sum, fmt.Errorf("process %d is gone", pid)
		}
		for _, task := range tasks {
			one, err := readTask(task)
			if errors.Is(err, fs.ErrNotExist) {
				continue // the thread ended meanwhile
			} else if err != nil {
				return sum, err
			}
			sum = sum.plus(one)
		}
	}
	return sum, nil
}

func readTask(task string) (p Process, err error) {
	stat, err := os.ReadFile(task + "/stat")
	if err != nil {
		return p, err
	}
	if p.user, p.system, err = parseStat(string(stat)); err != nil {
		return p, err
	}
	if schedstat, err := os.ReadFile(task + "/schedstat"); err != nil {
		p.Ran = time.Duration(p.user+p.system) * tick // no CONFIG_SCHED_INFO
	} else if p.Ran, p.Waited, err = parseSchedstat(string(schedstat)); err != nil {
		return p, err
	}
	status, err := os.ReadFile(task + "/status")
	if err != nil {
		return p, err
	}
	p.Switches, err = parseSwitches(string(status))
	return p, err
}

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

// parseStat reads utime and stime, fields 14 and 15 of proc(5)'s stat. The name, field 2, may hold anything.
func parseStat(s string) (user, system int64, err error) {
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("stat: %q is too short", s)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return user, system, errors.Join(err1, err2)
}

// parseSwitches sums the two ctxt_switches of proc(5)'s status.
func parseSwitches(status string) (sum int64, err error) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if !strings.HasSuffix(name, "ctxt_switches") {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("status: %q: %w", line, err)
		}
		sum += n
	}
	return sum, nil
}

// Group is the processes of a process group, as they are now.
func Group(leader int) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it ended meanwhile
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(leader) && fields[0] != "Z" {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}
