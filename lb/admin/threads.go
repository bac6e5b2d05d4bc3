package admin

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the system knows of the process: descriptors and threads. It is read from /proc, which a process in a chroot does not see.

// self is the process's own directory.
const self = "/proc/self/"

// flowEnd is the flow that a descriptor belongs to.
type flowEnd struct {
	id   uint64
	loop int
	side string
}

// showFD is "show fd [<number>]": what each descriptor is, and of sockets, which flow's.
func (s *session) showFD(arguments []string) {
	only := -1
	if len(arguments) > 0 {
		n, ok := number(arguments, 0)
		if !ok {
			s.answer.fail("A number of a descriptor is expected.")
			return
		}
		only = n
	}
	dir, err := os.Open(self + "fd")
	if err != nil {
		s.answer.fail("The descriptors cannot be seen: %v.", err)
		return
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		s.answer.fail("The descriptors cannot be seen: %v.", err)
		return
	}
	ends := make(map[int]flowEnd)
	s.process.Sessions(false, func(some []Session) bool {
		for i := range some {
			x := &some[i]
			ends[x.ClientFD] = flowEnd{x.ID, x.Loop, "client"}
			ends[x.ServerFD] = flowEnd{x.ID, x.Loop, "server"}
		}
		return true
	})
	delete(ends, 0) // stands for none
	numbers := make([]int, 0, len(names))
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil && (only < 0 || n == only) {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		what, err := os.Readlink(self + "fd/" + strconv.Itoa(n))
		if err != nil {
			continue // closed meanwhile
		}
		s.answer.printf("%7d : %s", n, what)
		if end, found := ends[n]; found && strings.HasPrefix(what, "socket:") {
			s.answer.printf(" flow=0x%x side=%s loop=%d", end.id, end.side, end.loop+1)
		}
		s.answer.printf("\n")
		if s.answer.err != nil {
			return
		}
	}
}

// showThreads tells of each loop which thread it runs on and what that thread has used; and of the other threads, together.
func (s *session) showThreads([]string) {
	threads, _ := os.ReadDir(self + "task")
	rest := make(map[int]bool, len(threads))
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			rest[id] = true
		}
	}
	for i, l := range s.process.Loops() {
		delete(rest, l.Thread)
		s.answer.printf("  Thread %d : id=%d loop=%d %s flows=%d turns=%d busy_ms=%d longest_gap_us=%d\n",
			i+1, l.Thread, i+1, used(l.Thread), l.Flows, l.Turns, l.Busy.Milliseconds(), l.LongestGap.Microseconds())
	}
	s.answer.printf("  Others : threads=%d goroutines=%d processors=%d\n", len(rest), runtime.NumGoroutine(), runtime.GOMAXPROCS(0))
}

// tick is the unit of times in /proc: USER_HZ, which is 100 on every architecture that Go knows (proc(5)).
const tick = 10 * time.Millisecond

// used is a thread's state, the processor that it ran on last, and its time in user and kernel mode (proc(5), /proc/[pid]/stat).
func used(thread int) string {
	text, err := os.ReadFile(self + "task/" + strconv.Itoa(thread) + "/stat")
	end := strings.LastIndexByte(string(text), ')') // the name before it may hold anything
	fields := strings.Fields(string(text[end+1:]))
	if err != nil || len(fields) < 37 {
		return "state=?"
	}
	of := func(i int) string {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		return strconv.FormatInt((time.Duration(n) * tick).Milliseconds(), 10)
	}
	return "state=" + fields[0] + " cpu=" + fields[36] + " user_ms=" + of(11) + " system_ms=" + of(12)
}

// showProfiling is "show profiling [all|status|tasks|memory|byaddr|<lines>]". The loops measure their turns while there is a stats socket;
// nothing else is profiled.
func (s *session) showProfiling(arguments []string) {
	what := "all"
	if len(arguments) > 0 {
		what = arguments[0]
	}
	_, err := strconv.ParseUint(what, 10, 31)
	if !slices.Contains([]string{"all", "status", "tasks", "memory", "byaddr"}, what) && err != nil {
		s.answer.fail("Expects either 'all', 'status', 'tasks', 'memory', 'byaddr' or a max number of output lines.")
		return
	}
	if what != "tasks" && what != "memory" {
		s.answer.printf("Per-task CPU profiling              : on            # of the loops' turns, always; see 'show sched'\n")
		s.answer.printf("Memory usage profiling              : off           # see 'show pools'\n")
	}
	if what == "status" || what == "memory" {
		return
	}
	s.answer.printf("Tasks activity:\n  function                      calls   cpu_tot   cpu_avg   lat_tot   lat_avg\n")
	for i, l := range s.process.Loops() {
		s.answer.printf("  %-25s %9d %9s %9s         -         -\n", "loop "+strconv.Itoa(i+1), l.Turns, short(l.Busy), short(l.Busy/time.Duration(max(l.Turns, 1))))
	}
}

// short writes a time with four digits or fewer before its unit.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Microsecond:
		return strconv.FormatInt(d.Nanoseconds(), 10) + "ns"
	case d < 10*time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + "us"
	case d < 10*time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	}
	return strconv.FormatInt(int64(d.Seconds()), 10) + "s"
}

// showErrors is "show errors [<proxy>]". HAProxy keeps the last request and answer that it could not understand there; nothing above
// TCP is read here, so there are none.
func (s *session) showErrors(arguments []string) {
	if len(arguments) > 0 && s.proxyNamed(arguments[0]) == nil {
		s.answer.fail("No such proxy.")
		return
	}
	s.answer.printf("Total events captured on [%s] : 0\n", time.Now().Format("02/Jan/2006:15:04:05.000"))
}
