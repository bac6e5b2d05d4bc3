package harness

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Zone is the domain for which [Unbound] answers.
const Zone = "sluice.example"

// Unbound is a name server of the test's own, over UDP and TCP. It has no names at first.
type Unbound struct {
	Addr string

	t     testing.TB
	cmd   *exec.Cmd
	file  string
	names map[string]bool // that have records
}

// StartUnbound runs unbound in the foreground, with more lines for its server section.
func StartUnbound(t testing.TB, lines ...string) *Unbound {
	t.Helper()
	dir := ShortDir(t)
	port := Port(t)
	u := &Unbound{Addr: fmt.Sprintf("127.0.0.1:%d", port), t: t, file: filepath.Join(dir, "unbound.conf"), names: map[string]bool{}}
	// What is not in the zone would have to be asked for at port 9 of this machine, which unbound does not do: SERVFAIL.
	write(t, u.file, fmt.Sprintf(`server:
  directory: "%[1]s"
  chroot: ""
  username: ""
  pidfile: ""
  interface: 127.0.0.1@%[2]d
  port: %[2]d
  access-control: 127.0.0.0/8 allow
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  num-threads: 1
  module-config: "iterator"
  extended-statistics: yes
  local-zone: "%[3]s." static
  %[4]s
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@9
remote-control:
  control-enable: yes
  control-interface: %[1]s/control
  control-use-cert: no
`, dir, port, Zone, strings.Join(lines, "\n  ")))
	u.cmd = exec.Command("unbound", "-c", u.file)
	u.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output := NewLines()
	pipe, err := u.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := u.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { output.read(pipe); close(read) }()
	t.Cleanup(func() {
		u.cmd.Process.Kill() // also if it is stopped
		<-read
		u.cmd.Wait()
	})
	if !WaitUntil(Patience, func() bool { return accepts(u.Addr) && u.ready() }) {
		t.Fatalf("unbound does not listen:\n%s", output.Text())
	}
	return u
}

func (u *Unbound) ready() bool {
	return exec.Command("unbound-control", "-c", u.file, "status").Run() == nil
}

func (u *Unbound) control(input string, args ...string) string {
	u.t.Helper()
	args = append([]string{"-c", u.file}, args...)
	stdout, stderr, code := Exec(u.t, []byte(input), "unbound-control", args...)
	if code != 0 {
		u.t.Fatalf("unbound-control %q ended with %d:\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// Set makes these the only records of the zone: "app A 127.0.1.1". For a moment in between there are none.
func (u *Unbound) Set(records ...string) {
	u.t.Helper()
	u.control("", "local_zone", Zone, "static")
	u.clear()
	var data strings.Builder
	for _, r := range records {
		name, rest, _ := strings.Cut(r, " ")
		u.names[name] = true
		fmt.Fprintf(&data, "%s.%s. 1 IN %s\n", name, Zone, rest)
	}
	u.control(data.String(), "local_datas")
}

func (u *Unbound) clear() {
	u.t.Helper()
	var names strings.Builder
	for name := range u.names {
		fmt.Fprintf(&names, "%s.%s.\n", name, Zone)
	}
	u.control(names.String(), "local_datas_remove")
	u.names = map[string]bool{}
}

// Refuse refuses to answer for the zone.
func (u *Unbound) Refuse() { u.t.Helper(); u.clear(); u.control("", "local_zone", Zone, "refuse") }

// Fail answers SERVFAIL.
func (u *Unbound) Fail() { u.t.Helper(); u.clear(); u.control("", "local_zone_remove", Zone) }

// Freeze stops the process: whoever asks hears nothing.
func (u *Unbound) Freeze() { u.t.Helper(); u.signal(syscall.SIGSTOP) }

// Thaw continues it.
func (u *Unbound) Thaw() { u.t.Helper(); u.signal(syscall.SIGCONT) }

func (u *Unbound) signal(s syscall.Signal) {
	u.t.Helper()
	if err := u.cmd.Process.Signal(s); err != nil {
		u.t.Fatal(err)
	}
}

// Count is one of unbound's statistics, such as "num.query.tcp".
func (u *Unbound) Count(name string) int {
	u.t.Helper()
	for line := range strings.Lines(u.control("", "stats_noreset")) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			n, err := strconv.Atoi(text)
			if err != nil {
				u.t.Fatal(err)
			}
			return n
		}
	}
	u.t.Fatalf("unbound does not count %s", name)
	return 0
}
