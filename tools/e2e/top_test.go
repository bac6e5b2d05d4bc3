package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// terminal is a real terminal emulator, tmux, with "sluice top" in it.
type terminal struct {
	t      *testing.T
	socket string
}

// coloured finds a foreground or a background other than the terminal's own.
var coloured = regexp.MustCompile(`\x1b\[([0-9;]*;)?(3[0-8]|4[0-8]|9[0-7])[;m]`)

// startTerminal runs a command in a terminal of a size.
func startTerminal(t *testing.T, width, height int, environment, command string) *terminal {
	t.Helper()
	x := &terminal{t: t, socket: harness.ShortDir(t) + "/tmux"}
	t.Cleanup(func() { exec.Command("tmux", "-S", x.socket, "kill-server").Run() })
	x.tmux("-f", "/dev/null", "new-session", "-d", "-s", "top", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), "env "+environment+" "+command+"; echo ended with $?; exec cat")
	return x
}

func (x *terminal) tmux(arguments ...string) string {
	x.t.Helper()
	command := exec.Command("tmux", append([]string{"-u", "-S", x.socket}, arguments...)...)
	command.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "TMUX=")
	out, err := command.CombinedOutput()
	if err != nil {
		x.t.Fatalf("%s: %v: %s", command, err, out)
	}
	return string(out)
}

func (x *terminal) screen() string { return x.tmux("capture-pane", "-p", "-t", "top") }

// await waits until the screen has all of the texts.
func (x *terminal) await(texts ...string) string {
	x.t.Helper()
	var screen, missing string
	if !harness.WaitUntil(harness.Patience, func() bool {
		screen = x.screen()
		for _, missing = range texts {
			if !strings.Contains(screen, missing) {
				return false
			}
		}
		return true
	}) {
		x.t.Fatalf("the screen never had %q:\n%s", missing, screen)
	}
	return screen
}

func (x *terminal) keys(keys ...string) {
	x.t.Helper()
	x.tmux(append([]string{"send-keys", "-t", "top"}, keys...)...)
}

// sluicePath is the program even where the tests are for haproxy: its top looks at both.
func sluicePath(t *testing.T) string {
	harness.SluiceOnly(t, harness.OperatorsListings)
	return harness.Subject.Path
}

// Through key presses in a real terminal: a server is found by its name, looked into, drained and made ready; the process is restarted
// under the view; the terminal is made narrow.
func TestTopInATerminal(t *testing.T) {
	path := sluicePath(t)
	t.Parallel()
	dir := harness.ShortDir(t)
	socket, addr, origin := dir+"/stats", harness.Loopback(t), harness.Serve(t, harness.Echo)
	logs := harness.ReceiveUDP(t)
	text := "global\n  stats socket " + socket + " level admin\n" + config(logs, "",
		section("frontend web", "bind "+addr, "default_backend pool"),
		section("backend pool", "server one "+origin.Addr, "server two "+origin.Addr, "server dead "+harness.Refused(t)+" check inter 200ms"))
	b := harness.Start(t, text, harness.Options{Leaky: "it is restarted"})
	x := startTerminal(t, 140, 30, "-u NO_COLOR", path+" top -i 500ms "+socket)
	x.await("sluice ", fmt.Sprintf("process %d", b.PID), "web (frontend)", "pool (backend)", "one", "!  dead", "DOWN", "level admin", "% busy")
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	x.await("connections 1 of 1000")

	state := func(server string) string {
		for row := range strings.Lines(operate(t, "unix", socket, "show stat pool 4 -1")) {
			if fields := strings.Split(row, ","); len(fields) > 18 && fields[1] == server {
				return fields[17] + " " + fields[18]
			}
		}
		return ""
	}
	x.keys("/")
	x.keys("pool/two")
	x.keys("Enter")
	x.await("1 rows: everything with 'pool/two'")
	x.keys("Enter")
	x.await("pool/two  no check", "at "+origin.Addr)
	x.keys("D")
	x.await("Send 'set server pool/two state drain'?")
	if got := state("two"); got != "no check 1" {
		t.Fatalf("before the confirmation it is %q", got)
	}
	x.keys("y")
	x.await("Done: pool/two drains", "pool/two  DRAIN")
	if got := state("two"); !strings.HasPrefix(got, "DRAIN") {
		t.Errorf("after the confirmation it is %q", got)
	}
	x.keys("e")
	x.await("Send 'set server pool/two state ready'?")
	x.keys("y")
	x.await("pool/two  no check")
	x.keys("w")
	x.keys("50%")
	x.keys("Enter")
	x.await("Send 'set weight pool/two 50%'?")
	x.keys("n")
	x.await("Nothing was sent")
	x.keys("Escape")
	x.await("1 rows")
	x.keys("Escape")
	x.await("web (frontend)")

	client.Close()
	b.Signal(syscall.SIGTERM)
	b.WaitExit()
	x.await("No answer: ", "Trying again", "web (frontend)")
	again := harness.Start(t, text)
	x.await(fmt.Sprintf("process %d", again.PID), "The process was restarted")

	x.tmux("resize-window", "-t", "top", "-x", "40", "-y", "12")
	harness.Eventually(t, "it is narrow", func() bool {
		screen := x.screen()
		return strings.Contains(screen, "STATUS         CONN") && !strings.Contains(screen, "TOTAL")
	})
	x.keys("?")
	x.await("Looking")
	x.keys("x")
	x.keys("q")
	x.await("ended with 0")
}

// The same against haproxy itself, with a socket that may not change anything, and no colours.
func TestTopOfHAProxy(t *testing.T) {
	path := sluicePath(t)
	t.Parallel()
	dir, addr, stats := harness.ShortDir(t), harness.Loopback(t), harness.Loopback(t)
	origin := harness.Serve(t, harness.Echo)
	file := dir + "/h.cfg"
	harness.WriteFile(t, file, "global\n  stats socket "+dir+"/admin level admin\n  stats socket ipv4@"+stats+" level operator\n"+
		"defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"+
		"frontend web\n  bind "+addr+"\n  default_backend pool\nbackend pool\n  server one "+origin.Addr+"\n")
	pid := harness.Background(t, harness.Program(t, "haproxy"), "-db", "-f", file)
	harness.Eventually(t, "haproxy listens", func() bool { return harness.Listening(pid, stats) })

	operator := startTerminal(t, 140, 24, "NO_COLOR=1", path+" top -i 500ms "+stats)
	operator.await("haproxy 2.", fmt.Sprintf("process %d", pid), "level operator", "threads ", "web (frontend)", "(no changes: level operator)")
	operator.keys("Down", "Down")
	operator.keys("d")
	operator.await("Not allowed: this socket has the level 'operator'")
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	operator.keys("Enter")
	operator.keys("f")
	operator.await("pool/one", "FLOW", client.LocalAddr().String())
	if colours := operator.tmux("capture-pane", "-p", "-e", "-t", "top"); coloured.MatchString(colours) {
		t.Errorf("there are colours in spite of NO_COLOR: %q", colours)
	}

	admin := startTerminal(t, 140, 24, "-u NO_COLOR", path+" top -i 500ms "+dir+"/admin")
	admin.await("level admin", "one")
	admin.keys("Down", "Down")
	admin.keys("d")
	admin.await("Send 'set server pool/one state maint'?")
	admin.keys("y")
	admin.await("Done", "MAINT")
	if colours := admin.tmux("capture-pane", "-p", "-e", "-t", "top"); !coloured.MatchString(colours) {
		t.Errorf("there are no colours: %q", colours)
	}
	if out := operate(t, "unix", dir+"/admin", "show servers state pool"); !strings.Contains(out, " one ") || !strings.Contains(out, " 0 1 1 ") {
		t.Errorf("haproxy's states: %s", out)
	}
}

// For scripts: plain text, an exit code, every kind of address.
func TestTopForScripts(t *testing.T) {
	path := sluicePath(t)
	t.Parallel()
	logs, addr, stats, abstract := harness.ReceiveUDP(t), harness.Loopback(t), harness.Loopback(t), fmt.Sprintf("abns@e2e-top-%d", os.Getpid())
	b := harness.Start(t, "global\n  stats socket "+abstract+" level user\n  stats socket ipv4@"+stats+" level operator\n"+
		config(logs, "", section("listen front", "bind "+addr, "server gone "+harness.Refused(t)+" check inter 200ms", "server fine "+addr)))
	for _, address := range []string{abstract, stats, "ipv4@" + stats} {
		harness.Eventually(t, "the problem is listed", func() bool {
			out, stderr, code := harness.Exec(t, nil, path, "top", "-once", "-p", address)
			if code != 0 || strings.Contains(out, "\x1b") || strings.Contains(out, "front/fine") {
				t.Fatalf("%s: %d\n%s%s", address, code, out, stderr)
			}
			return strings.Contains(out, fmt.Sprintf("process %d", b.PID)) && strings.Contains(out, "!front/gone") && strings.Contains(out, "DOWN")
		})
	}
	if out, _, code := harness.Exec(t, nil, path, "top", "-n", "2", "-i", "200ms", stats); code != 0 || strings.Count(out, " NAME ") != 2 {
		t.Errorf("%d\n%s", code, out)
	}
	if out, stderr, code := harness.Exec(t, nil, path, "top", b.Dir+"/nothing"); code != 2 || out != "" || !strings.Contains(stderr, "no such file") {
		t.Errorf("%d\n%s%s", code, out, stderr)
	}
	if _, stderr, code := harness.Exec(t, nil, path, "top", "-once", "abns@e2e-top-nothing"); code != 2 || stderr != "sluice top: @e2e-top-nothing: connect: connection refused\n" {
		t.Errorf("%d\n%q", code, stderr)
	}
	if out, _, code := harness.Exec(t, nil, path, "top", "-h"); code != 0 || !strings.Contains(out, "usage: sluice top") {
		t.Errorf("%d\n%s", code, out)
	}
}
