//go:build linux

package measure

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Of a process that burns CPU for a while, about so much is seen, and nearly all of it in user space.
func TestProcess(t *testing.T) {
	before, err := ReadProcesses([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	const asked = 100 * time.Millisecond
	sum := 0
	for used := time.Duration(0); used < asked; {
		for i := range 1_000_000 {
			sum += i * i
		}
		now, err := ReadProcesses([]int{os.Getpid()})
		if err != nil {
			t.Fatal(err)
		}
		used = now.Minus(before).Ran
	}
	after, err := ReadProcesses([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	used := after.Minus(before)
	if used.Ran < asked || used.Ran > 5*asked || used.System() > used.Ran || used.Switches < 0 {
		t.Errorf("%+v, system %v (sum %d)", used, used.System(), sum)
	}
	if _, err := ReadProcesses([]int{1 << 30}); err == nil {
		t.Error("a process that does not exist was read")
	}
}

func TestParse(t *testing.T) {
	ran, waited, err := parseSchedstat("123456789 55973 12\n")
	if ran != 123456789 || waited != 55973 || err != nil {
		t.Error(ran, waited, err)
	}
	if _, _, err := parseSchedstat("12"); err == nil {
		t.Error("a short schedstat was read")
	}
	user, system, err := parseStat("7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 77 88 0 0 20 0 1 0 5 6")
	if user != 77 || system != 88 || err != nil {
		t.Error(user, system, err)
	}
	if n, err := parseSwitches("Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n"); n != 11 || err != nil {
		t.Error(n, err)
	}
	if n, err := parseSockets("sockets: used 9\nTCP: inuse 6 orphan 3 tw 7 alloc 8 mem 236\nUDP: inuse 3 mem 110\n"); n != 236*int64(os.Getpagesize()) || err != nil {
		t.Error(n, err)
	}
}

func TestParsePerf(t *testing.T) {
	c, err := parseCalls("# started\n\n236665,,raw_syscalls:sys_enter,1,100.00,,\n120000,,syscalls:sys_enter_recvfrom,1,100.00,,\n0,,syscalls:sys_enter_read,1,100.00,,\n")
	if c.All != 236665 || !maps.Equal(c.ByName, map[string]int64{"recvfrom": 120000}) || err != nil {
		t.Error(c, err)
	}
	for _, bad := range []string{"", "<not counted>,,raw_syscalls:sys_enter,0,0.00,,\n", "7,,syscalls:sys_enter_read,1,100.00,,\n"} {
		if c, err := parseCalls(bad); err == nil {
			t.Errorf("%q was read as %v", bad, c)
		}
	}
	symbols, err := parseSymbols("\n    7  [.] lb/flow.(*Flow).move  \n   30  [k] tcp_ack\n    4  [.] lb/flow.(*Flow).move\n   11  [k] 0xffffffff81000000\n")
	if want := []Symbol{{"tcp_ack", true, 30}, {"0xffffffff81000000", true, 11}, {"lb/flow.(*Flow).move", false, 11}}; !slices.Equal(symbols, want) || err != nil {
		t.Error(symbols, err)
	}
}

func TestMachine(t *testing.T) {
	at := time.Now()
	a, err := parseCores("cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 10 0 10 100 0 0 5 0 0 0\ncpu1 10 0 10 100 0 0 5 0 0 0\nintr 5\n")
	if err != nil {
		t.Fatal(err)
	}
	// A second later: core 0 was busy for 0.6 s, core 1 not at all, but 0.1 s of it were stolen.
	b, err := parseCores("cpu  1 1 1 1 1 1 1 1 0 0\ncpu0 40 0 40 140 0 0 5 0 0 0\ncpu1 10 0 10 190 0 0 5 10 0 0\nintr 5\n")
	if err != nil {
		t.Fatal(err)
	}
	s := Between(Machine{at, a}, Machine{at.Add(time.Second), b})
	for _, c := range []struct {
		cores []int
		busy  time.Duration
		share float64
	}{{nil, 600 * time.Millisecond, 0.3}, {[]int{0}, 600 * time.Millisecond, 0.6}, {[]int{1}, 0, 0}} {
		if busy, share := s.Busy(c.cores...), s.BusyShare(c.cores...); busy != c.busy || share != c.share {
			t.Errorf("cores %v: %v, %v", c.cores, busy, share)
		}
	}
	if stolen := s.StolenShare(1); stolen != 0.1 {
		t.Errorf("stolen: %v", stolen)
	}
	if _, err := parseCores("nothing"); err == nil {
		t.Error("a stat without cores was read")
	}
	if _, err := ReadMachine(); err != nil {
		t.Error(err)
	}
}

func TestMemory(t *testing.T) {
	m, err := ReadMemory([]int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	if m.RSS < 1<<20 || m.PSS <= 0 || m.PSS > m.RSS || m.Kernel < 1<<20 {
		t.Errorf("%+v", m)
	}
}

// start starts a shell that waits for a line, runs a script, and waits for another line.
func start(t *testing.T, script string) (pid int, run func()) {
	t.Helper()
	command := exec.Command("sh", "-c", "read x; "+script+"; read x")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		command.Wait()
	})
	return command.Process.Pid, func() { in.Write([]byte("go\n")) }
}

// A thousand calls of a process are counted as about a thousand, by their names, and none from before or after.
func TestCalls(t *testing.T) {
	if err := CanCountCalls(t.Context()); err != nil {
		t.Skip(err)
	}
	pid, run := start(t, "dd if=/dev/zero of=/dev/null bs=1 count=1000 2>/dev/null") // reads and writes each block by itself
	c, err := PrepareCalls([]int{pid})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Begin(); err != nil {
		t.Fatal(err)
	}
	run()
	time.Sleep(300 * time.Millisecond)
	if err := c.End(); err != nil {
		t.Fatal(err)
	}
	counts, err := c.Stop()
	if err != nil || counts.All < 2000 || counts.All > 2500 {
		t.Errorf("%+v, %v", counts, err)
	}
	if CanNameCalls() {
		for _, name := range []string{"read", "write"} {
			if n := counts.ByName[name]; n < 1000 || n > 1100 {
				t.Errorf("%d calls of %s", n, name)
			}
		}
	}
}

// A process that computes is sampled about as often as was asked for, mostly outside the kernel.
func TestProfile(t *testing.T) {
	directory := t.TempDir()
	if err := CanProfile(t.Context(), directory); err != nil {
		t.Skip(err)
	}
	pid, run := start(t, "while :; do :; done")
	p, err := PrepareProfile([]int{pid}, directory)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Begin(); err != nil {
		t.Fatal(err)
	}
	run()
	time.Sleep(200 * time.Millisecond)
	before, err := ReadProcesses([]int{pid})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.End(); err != nil {
		t.Fatal(err)
	}
	symbols, err := p.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all, outside int64
	for _, s := range symbols {
		all += s.Samples
		if !s.Kernel {
			outside += s.Samples
		}
	}
	if due := int64(before.Ran.Seconds() * samplingRate); all < due/2 || all > 2*due+100 || outside < all/2 {
		t.Errorf("%d samples of %d, %d of them outside the kernel: %v", all, due, outside, symbols)
	}
	if left, _ := filepath.Glob(directory + "/*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	syscall.Kill(pid, syscall.SIGKILL)
}
