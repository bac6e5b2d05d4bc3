package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options vary how a balancer is started.
type Options struct {
	Env   []string          // added to the environment, NAME=value
	Args  []string          // instead of "-db -f FILE"
	Wrap  []string          // put in front of the program: it must end in exec, so that the process id is the program's
	Files []*os.File        // inherited as descriptors 3 and up
	More  map[string]string // further files for the configuration's directory
	// Leaky says why sockets may remain when the test ends (a hard stop, a flow that is held on purpose).
	Leaky string
	// Unready returns at once instead of waiting for the addresses of the configuration.
	Unready bool
}

// Balancer is a running program under test.
type Balancer struct {
	PID    int
	Dir    string // the configuration's directory, removed when the test ends
	Stdout *Lines
	Stderr *Lines
	Base   Descriptors // as the first flow found it

	t       testing.TB
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has been waited for
	options Options
	stop    sync.Once
	stopped bool // a test took the ending into its own hands
}

// ShortDir is a temporary directory whose path leaves room for a unix socket's name (108 bytes, unix(7)), which
// t.TempDir's does not with a long test name.
func ShortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Start runs the balancer on a configuration and returns when it listens.
func Start(t testing.TB, config string, options ...Options) *Balancer {
	t.Helper()
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	b := &Balancer{t: t, Dir: ShortDir(t), Stdout: NewLines(), Stderr: NewLines(), done: make(chan struct{}), options: o}
	file := filepath.Join(b.Dir, "test.cfg")
	write(t, file, config)
	for name, text := range o.More {
		write(t, filepath.Join(b.Dir, name), text)
	}
	args := o.Args
	if args == nil {
		args = []string{"-db", "-f", file}
	}
	line := append(append(append([]string(nil), o.Wrap...), Subject.Path), args...)
	b.cmd = exec.Command(line[0], line[1:]...)
	b.cmd.Dir = b.Dir
	b.cmd.Env = append(append(os.Environ(), "GOTRACEBACK=all", "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0"), o.Env...)
	b.cmd.ExtraFiles = o.Files
	// A test binary that is killed takes its children along.
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	b.run()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("configuration:\n%s", config)
		}
	})
	t.Cleanup(b.finish)
	if !o.Unready {
		b.waitListening(config)
	}
	b.Base, _ = ReadDescriptors(b.PID)
	return b
}

// run starts the process and the collectors of its output.
func (b *Balancer) run() {
	b.t.Helper()
	stdout, err := b.cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	stderr, err := b.cmd.StderrPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		b.t.Fatalf("starting %s: %v", b.cmd, err)
	}
	b.PID = b.cmd.Process.Pid
	var readers sync.WaitGroup
	readers.Go(func() { b.Stdout.read(stdout) })
	readers.Go(func() { b.Stderr.read(stderr) })
	go func() {
		readers.Wait() // before Wait, which closes the pipes
		b.cmd.Wait()
		close(b.done)
	}()
}

// listenLine finds the addresses of a configuration's bind lines and stats sockets.
var listenLine = regexp.MustCompile(`(?m)^\s*(?:bind|stats\s+socket)\s+(\S+)(.*)$`)

// waitListening returns when every bound address is in the kernel's table of listeners.
func (b *Balancer) waitListening(config string) {
	b.t.Helper()
	for _, match := range listenLine.FindAllStringSubmatch(config, -1) {
		if strings.Contains(match[2], " namespace ") {
			continue // it is in the tables of another namespace: the test waits itself
		}
		for _, address := range strings.Split(match[1], ",") {
			ok := WaitUntil(Patience, func() bool { return b.Exited() || b.listening(address) })
			if !ok || b.Exited() {
				b.t.Fatalf("%s does not listen on %s; it said:\n%s\n%s", Tag(), address, b.Stderr.Text(), b.Stdout.Text())
			}
		}
	}
}

func (b *Balancer) listening(address string) bool {
	switch {
	case strings.HasPrefix(address, "fd@"):
		return true // it listened before the program started
	case strings.HasPrefix(address, "unix@"):
		return listensUnix(b.PID, address[len("unix@"):])
	case strings.HasPrefix(address, "/"):
		return listensUnix(b.PID, address)
	case strings.HasPrefix(address, "abns@"):
		// An abstract name fills sun_path with zeros, which the table prints as '@' each.
		for _, f := range table(b.PID, "unix") {
			if len(f) > 7 && strings.TrimRight(f[7], "@") == "@"+address[len("abns@"):] && f[3] == "00010000" {
				return true
			}
		}
		return false
	}
	if strings.Contains(address, "/") {
		return true // a prefix, of which no table of sockets knows: the test waits itself
	}
	_, text, _ := strings.Cut(address[strings.LastIndexByte(address, ':'):], ":")
	first, last, isRange := strings.Cut(text, "-")
	from, err := strconv.Atoi(first)
	if err != nil {
		return true // a port from the environment: the test waits itself
	}
	to := from
	if isRange {
		to, _ = strconv.Atoi(last)
	}
	for port := from; port <= to; port++ {
		if !listens(b.PID, port) {
			return false
		}
	}
	return true
}

// Signal sends a signal to the process.
func (b *Balancer) Signal(sig syscall.Signal) {
	b.t.Helper()
	if err := b.cmd.Process.Signal(sig); err != nil {
		b.t.Errorf("signal %v: %v", sig, err)
	}
}

// Exited tells whether the process has ended.
func (b *Balancer) Exited() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// WaitExit waits for the process's end, brought about by the test, and returns its exit code (-1: a signal).
func (b *Balancer) WaitExit() int {
	b.t.Helper()
	b.stopped = true
	select {
	case <-b.done:
	case <-time.After(Patience):
		b.t.Fatal("the balancer does not end")
	}
	return b.cmd.ProcessState.ExitCode()
}

// AssertIdle fails the test if the process uses more than a few percent of a core during a second. What it is waiting
// for (why names it) must cost nothing.
func (b *Balancer) AssertIdle(why string) {
	b.t.Helper()
	before := CPU(b.PID)
	time.Sleep(time.Second) // the measured interval itself
	if used := CPU(b.PID) - before; used > 80*time.Millisecond {
		b.t.Errorf("%s: used %v of processor time in an idle second", why, used.Round(time.Millisecond))
	}
}

// Streams is the number of stream sockets held now beyond those held at the start.
func (b *Balancer) Streams() int {
	d, err := ReadDescriptors(b.PID)
	if err != nil {
		return 0
	}
	// The connection with which the start was awaited may still have been counted then.
	b.Base.Streams = min(b.Base.Streams, d.Streams)
	return d.Streams - b.Base.Streams
}

// Pipes is the number of pipe ends held now beyond those held at the start.
func (b *Balancer) Pipes() int {
	d, _ := ReadDescriptors(b.PID)
	return d.Pipes - b.Base.Pipes
}

// finish stops the process and judges how it went.
func (b *Balancer) finish() {
	b.stop.Do(func() {
		if !b.stopped && !b.Exited() {
			b.checkLeftovers()
		}
		if b.Exited() && !b.stopped {
			b.t.Errorf("the balancer ended by itself with code %d", b.cmd.ProcessState.ExitCode())
		} else if !b.Exited() {
			b.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-b.done:
				b.judgeExit()
			case <-time.After(Patience):
				b.t.Error("the balancer does not end on SIGTERM")
				b.cmd.Process.Signal(syscall.SIGQUIT) // a Go program prints its goroutines
				select {
				case <-b.done:
				case <-time.After(2 * time.Second):
					b.cmd.Process.Kill()
					<-b.done
				}
			}
		}
		for _, word := range []string{"panic:", "fatal error:", "DATA RACE", "SIGSEGV", "goroutine 1 ["} {
			if b.Stderr.Count(word)+b.Stdout.Count(word) > 0 {
				b.t.Errorf("the balancer printed '%s'", word)
				break
			}
		}
		if b.t.Failed() {
			b.t.Logf("standard error:\n%s", tail(b.Stderr.Text()))
			b.t.Logf("standard output:\n%s", tail(b.Stdout.Text()))
		}
	})
}

func (b *Balancer) checkLeftovers() {
	if b.options.Leaky != "" {
		return
	}
	if !WaitUntil(5*time.Second, func() bool { return b.Streams() <= 0 }) {
		b.t.Errorf("%d sockets are left over after all flows ended:\n%s", b.Streams(), sockets(b.PID))
	}
}

func (b *Balancer) judgeExit() {
	if state := b.cmd.ProcessState; !rightExit(state) {
		b.t.Errorf("the balancer ended with %v after SIGTERM, want code 0", state)
	}
}

// sockets shows a process's sockets as ss does.
func sockets(pid int) string {
	out, _ := exec.Command("ss", "-antpeH").CombinedOutput()
	var own []string
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, fmt.Sprintf("pid=%d,", pid)) {
			own = append(own, line)
		}
	}
	return tail(strings.Join(own, "\n"))
}

// tail keeps the last 6,000 bytes.
func tail(text string) string {
	if len(text) > 6000 {
		return "…" + text[len(text)-6000:]
	}
	return text
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Listens tells whether the process's network has a listener on the port of an address.
func (b *Balancer) Listens(address string) bool { return b.listening(address) }

// Rebase takes the descriptors held now as those of the start, where a test waited for that itself.
func (b *Balancer) Rebase() { b.Base, _ = ReadDescriptors(b.PID) }

// WriteFile writes a file that a test needs beside its configuration.
func WriteFile(t testing.TB, path, text string) {
	t.Helper()
	write(t, path, text)
}
