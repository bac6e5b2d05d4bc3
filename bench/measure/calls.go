//go:build linux

package measure

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Calls counts the system calls of processes with perf(1), on the kernel's tracepoints: all of them, and those by name that a balancer may
// make per unit of work. That costs the counted a few tenths of a microsecond for each, so what is counted is not to be timed; but it
// is little enough that they still work as they do otherwise. Under strace(1), which stops the traced at each call, batches grow, and what a
// runtime does per second looks large beside what is done per request.
type Calls struct{ *perf }

// Counts are numbers of system calls.
type Counts struct {
	All    int64
	ByName map[string]int64 // those that were made, of the names that are looked at; the rest of All had others
}

const (
	callEvent  = "raw_syscalls:sys_enter"
	namedEvent = "syscalls:sys_enter_"
)

// callNames are the calls that are told apart. perf takes 40 ms at its end for each (the kernel waits until nobody uses a tracepoint before it
// goes), so they are not all that there are.
var callNames = strings.Fields(`read write readv writev recvfrom sendto recvmsg sendmsg splice accept4 connect socket close shutdown bind
	epoll_wait epoll_pwait epoll_pwait2 epoll_ctl setsockopt getsockopt getsockname getpeername fcntl ioctl pipe2 futex nanosleep clock_nanosleep
	clock_gettime timer_settime rt_sigreturn rt_sigprocmask tgkill getpid sched_yield madvise`)

// namedEvents are the tracepoints of callNames that this kernel has (CONFIG_FTRACE_SYSCALLS).
var namedEvents = sync.OnceValue(func() (events []string) {
	for _, name := range callNames {
		for _, tracing := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
			if _, err := os.Stat(tracing + "/events/syscalls/sys_enter_" + name); err == nil {
				events = append(events, namedEvent+name)
				break
			}
		}
	}
	return events
})

// CanCountCalls tells why calls cannot be counted here: no perf, no right to, no such event.
func CanCountCalls(ctx context.Context) error {
	output, err := exec.CommandContext(ctx, "perf", "stat", "-x", ",", "-e", callEvent, "true").CombinedOutput()
	if err != nil {
		return firstFailure(output, err)
	}
	_, err = parseCalls(string(output))
	return err
}

// CanNameCalls tells if calls, where they can be counted, can be counted by name.
func CanNameCalls() bool { return len(namedEvents()) > 0 }

// PrepareCalls attaches to processes. Nothing is counted before Begin and after End.
func PrepareCalls(pids []int) (*Calls, error) {
	p, err := startPerf("stat", pids, "-x", ",", "-e", strings.Join(slices.Concat([]string{callEvent}, namedEvents()), ","))
	return &Calls{p}, err
}

// Stop ends perf and gives the calls between Begin and End.
func (c *Calls) Stop() (Counts, error) { return parseCalls(c.finish()) }

// parseCalls reads lines "236665,,raw_syscalls:sys_enter,…" of perf stat -x.
func parseCalls(output string) (Counts, error) {
	c := Counts{All: -1, ByName: map[string]int64{}}
	for line := range strings.Lines(output) {
		fields := strings.Split(line, ",")
		if len(fields) < 3 {
			continue
		}
		name, named := strings.CutPrefix(fields[2], namedEvent)
		if !named && fields[2] != callEvent {
			continue
		}
		n, err := strconv.ParseInt(fields[0], 10, 64)
		switch {
		case err != nil:
			return Counts{}, fmt.Errorf("perf: %q is no count", line)
		case !named:
			c.All = n
		case n > 0:
			c.ByName[name] = n
		}
	}
	if c.All < 0 {
		return Counts{}, fmt.Errorf("perf gave no count: %q", output)
	}
	return c, nil
}
