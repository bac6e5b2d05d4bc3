package harness

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Daemon is a server program that runs for one test, on a loopback address, with its data in a temporary directory. It is
// stopped by its process id when the test ends.
type Daemon struct {
	Addr   string
	Dir    string // belongs to the user that it runs as
	PID    int
	Output *Lines // what it prints

	t      testing.TB
	name   string
	line   []string
	user   string
	ending syscall.Signal
	ready  func(*Daemon) bool
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has been waited for
}

// daemon says how a program is started.
type daemon struct {
	line   []string           // program and arguments
	addr   string             // that it listens on
	dir    string             // as Dir
	user   string             // that it runs as where the test is root, for those that insist; "": the test's
	ending syscall.Signal     // that ends it at once; 0: SIGTERM
	ready  func(*Daemon) bool // nil: when something listens on addr
}

// Program finds a program on the PATH or in one of the directories, which may be patterns, and skips the test where it is
// not installed.
func Program(t testing.TB, name string, dirs ...string) string {
	t.Helper()
	for _, dir := range append(dirs, "/usr/local/sbin", "/usr/sbin") {
		files, _ := filepath.Glob(filepath.Join(dir, name))
		if len(files) > 0 {
			return files[len(files)-1]
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		Skip(t, name+" is not installed (tools/setup installs it)")
	}
	return path
}

// startDaemon starts a program and returns when it is ready to serve.
func startDaemon(t testing.TB, d daemon) *Daemon {
	t.Helper()
	s := &Daemon{Addr: d.addr, Dir: d.dir, Output: NewLines(), t: t, name: filepath.Base(d.line[0]), line: d.line, user: d.user,
		ending: d.ending, ready: d.ready}
	if s.ending == 0 {
		s.ending = syscall.SIGTERM
	}
	if s.ready == nil {
		s.ready = func(s *Daemon) bool { return bound(s.Addr) }
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", s.name, tail(s.Output.Text()))
		}
	})
	s.Start()
	return s
}

// Start starts the program, for the first time or after Stop.
func (s *Daemon) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.line[0], s.line[1:]...)
	s.cmd.Dir = s.Dir
	s.cmd.SysProcAttr = as(s.t, s.user)
	output, err := os.CreateTemp(s.Dir, "output")
	if err != nil {
		s.t.Fatal(err)
	}
	defer output.Close()
	// A file, and not a pipe: what a killed server's children still hold open would keep a pipe from ending.
	s.cmd.Stdout, s.cmd.Stderr = output, output
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("starting %s: %v", s.name, err)
	}
	s.PID, s.done = s.cmd.Process.Pid, make(chan struct{})
	follow := newFollower(output.Name(), s.Output)
	go func(cmd *exec.Cmd, done chan struct{}) {
		cmd.Wait()
		follow.end()
		close(done)
	}(s.cmd, s.done)
	if !WaitUntil(2*Patience, func() bool { return s.ended() || s.ready(s) }) || s.ended() {
		s.t.Fatalf("%s does not serve on %s; it said:\n%s", s.name, s.Addr, s.Output.Text())
	}
}

func (s *Daemon) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Stop ends the program, and returns when it is gone.
func (s *Daemon) Stop() {
	if s.done == nil || s.ended() {
		return
	}
	s.cmd.Process.Signal(s.ending)
	s.Thaw()
	select {
	case <-s.done:
	case <-time.After(Patience):
		s.t.Errorf("%s does not end on %v", s.name, s.ending)
		s.cmd.Process.Kill()
		<-s.done
	}
}

// Freeze stops the program and its children: the kernel goes on to accept connections for it, and nobody answers.
func (s *Daemon) Freeze() { syscall.Kill(-s.PID, syscall.SIGSTOP) }

// Thaw undoes Freeze.
func (s *Daemon) Thaw() { syscall.Kill(-s.PID, syscall.SIGCONT) }

// as makes a child run as a user where the test is root, in a process group of its own, and end with the test.
func as(t testing.TB, name string) *syscall.SysProcAttr {
	t.Helper()
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if name != "" && os.Geteuid() == 0 {
		uid, gid := ids(t, name)
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return attributes
}

func ids(t testing.TB, name string) (uid, gid int) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid
}

// dirFor is a temporary directory that belongs to a user, where the test is root.
func dirFor(t testing.TB, name string) string {
	t.Helper()
	dir := ShortDir(t)
	if name != "" && os.Geteuid() == 0 {
		uid, gid := ids(t, name)
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bound tells whether anybody listens on a port of this machine. No connection is made, which the server would count.
func bound(address string) bool {
	number, _ := strconv.Atoi(port(address))
	return len(listening(os.Getpid(), number)) > 0
}

// follower adds what is appended to a file to lines.
type follower struct {
	file  *os.File
	lines *Lines
	quit  chan struct{}
	done  chan struct{}
}

func newFollower(path string, lines *Lines) *follower {
	f := &follower{lines: lines, quit: make(chan struct{}), done: make(chan struct{})}
	f.file, _ = os.Open(path)
	go f.run()
	return f
}

func (f *follower) run() {
	defer close(f.done)
	defer f.file.Close()
	var rest string
	buffer := make([]byte, 32<<10)
	for last := false; ; {
		n, _ := f.file.Read(buffer)
		rest += string(buffer[:n])
		for {
			line, after, found := strings.Cut(rest, "\n")
			if !found {
				break
			}
			f.lines.Add(line)
			rest = after
		}
		if n > 0 {
			continue
		}
		if last {
			return
		}
		select {
		case <-f.quit:
			last = true // once more, for what came before the end
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// end reads to the end of the file.
func (f *follower) end() {
	close(f.quit)
	<-f.done
}
