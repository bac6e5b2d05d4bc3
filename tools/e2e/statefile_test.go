package e2e

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// The state file: each of the two programs starts in the state in which the other one was.

// state is a state file's fields by their names, by "backend/server".
func state(t *testing.T, text string) map[string]map[string]string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) < 3 || lines[0] != "1" || !strings.HasPrefix(lines[1], "# ") {
		t.Fatalf("this is no state file:\n%s", text)
	}
	names := strings.Fields(lines[1][2:])
	all := make(map[string]map[string]string)
	for _, line := range lines[2:] {
		words := strings.Fields(line)
		if len(words) != len(names) {
			t.Fatalf("%d fields for %d names: %s", len(words), len(names), line)
		}
		server := make(map[string]string)
		for i, name := range names {
			server[name] = words[i]
		}
		all[server["be_name"]+"/"+server["srv_name"]] = server
	}
	return all
}

// same compares what must survive. Numbers that nobody gave differ between the programs; the health of a server that is down,
// or never was checked, means nothing.
func same(t *testing.T, what string, got, want map[string]map[string]string) {
	t.Helper()
	for server, fields := range want {
		for _, name := range []string{
			"srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_uweight", "srv_iweight", "srv_check_state", "srv_agent_state",
			"srv_f_forced_id", "srv_fqdn", "srv_port", "srvrecord", "srv_use_ssl", "srv_check_port", "srv_check_addr", "srv_check_health",
		} {
			if name == "srv_check_health" && (fields["srv_op_state"] == "0" || fields["srv_check_status"] == "0" || fields["srv_check_status"] == "1") {
				continue
			}
			if got[server][name] != fields[name] {
				t.Errorf("%s: %s of %s is %q, was %q", what, name, server, got[server][name], fields[name])
			}
		}
		was, _ := strconv.Atoi(fields["srv_time_since_last_change"])
		is, _ := strconv.Atoi(got[server]["srv_time_since_last_change"])
		if is < was || is > was+30 {
			t.Errorf("%s: %s changed %d s ago, and before that %d", what, server, is, was)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d servers, were %d", what, len(got), len(want))
	}
}

// haproxy runs Debian's haproxy on a configuration until the test, or stop, ends it. ask sends a command to its socket.
func haproxy(t *testing.T, config string) (ask func(command string) string, stop func()) {
	t.Helper()
	dir := harness.ShortDir(t)
	socket := filepath.Join(dir, "socket")
	harness.WriteFile(t, filepath.Join(dir, "h.cfg"), "global\n  stats socket "+socket+" level admin\n"+config)
	cmd := exec.Command("haproxy", "-db", "-f", filepath.Join(dir, "h.cfg"))
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("haproxy said:\n%s", said.String())
		}
	})
	ask = func(command string) string {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(harness.Patience))
		io.WriteString(conn, command+"\n")
		text, err := io.ReadAll(conn)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		return string(text)
	}
	harness.Eventually(t, "haproxy's socket is there", func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return ask, stop
}

func TestStatesAreTakenOverFromHAProxyAndBack(t *testing.T) {
	harness.SluiceOnly(t, harness.SavesStates)
	origins := map[string]*harness.Origin{}
	for _, name := range []string{"maint", "drain", "down", "light", "zero"} {
		origins[name] = harness.Serve(t, harness.Name(name))
	}
	file := filepath.Join(harness.ShortDir(t), "states")
	bind := harness.Loopback(t)
	proxies := "  server-state-file " + file + "\n" +
		"defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n  load-server-state-from-file global\n" +
		section("listen l", "id 40", "bind "+bind,
			"server maint "+origins["maint"].Addr+" weight 3",
			"server drain "+origins["drain"].Addr+" id 70",
			"server down "+origins["down"].Addr+" check inter 1h addr 127.0.0.1 port "+portOf(origins["down"].Addr),
			"server light "+origins["light"].Addr+" weight 11",
			"server zero localhost:"+portOf(origins["zero"].Addr)+" weight 20",
			"server off "+harness.Refused(t)+" disabled",
			"server follower "+origins["down"].Addr+" track l/down")

	ask, stop := haproxy(t, proxies)
	for _, command := range []string{
		"set server l/maint state maint", "set server l/drain state drain", "disable health l/down", "set server l/down health down",
		"set server l/light weight 5", "set server l/zero weight 0",
	} {
		if answer := strings.TrimSpace(ask(command)); answer != "" {
			t.Fatalf("%s: %s", command, answer)
		}
	}
	text := ask("show servers state")
	stop()
	harness.WriteFile(t, file, text)
	before := state(t, text)
	if s := before["l/down"]; s["srv_op_state"] != "0" || s["srv_check_state"] != "2" {
		t.Fatalf("haproxy has not set up what this test is about: %v", s)
	}

	b := harness.Start(t, "global\n  server-state-save\n"+proxies)
	for range 10 {
		if name, err := harness.Ask(bind); name != "light" || err != nil {
			t.Errorf("%q answered (%v), and only light can", name, err)
		}
	}
	b.Signal(syscall.SIGUSR1)
	b.WaitExit()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	between := state(t, string(data))
	same(t, "sluice, after haproxy", between, before)
	if n := b.Stderr.Count("server-state application failed") + b.Stderr.Count("mismatch") + b.Stderr.Count("is not used"); n > 0 {
		t.Errorf("it complained:\n%s", b.Stderr.Text())
	}

	ask, _ = haproxy(t, proxies)
	same(t, "haproxy, after sluice", state(t, ask("show servers state")), between)
}

func portOf(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

// A process without privileges, in a root directory that has nothing in it, still saves the state where it was to.
func TestStatesAreSavedFromWithinChroot(t *testing.T) {
	harness.SluiceOnly(t, harness.SavesStates)
	harness.NeedRoot(t, "chroot")
	states, jail := harness.ShortDir(t), harness.ShortDir(t)
	const nobody = 65534
	if err := os.Chown(states, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(states, "states")
	b := harness.Start(t, "global\n  chroot "+jail+"\n  uid 65534\n  gid 65534\n  server-state-base "+states+"\n  server-state-file states\n  server-state-save every 1s\n"+
		section("listen l", "mode tcp", "bind "+harness.Loopback(t), "server s 127.0.0.1:1"))
	var first os.FileInfo
	harness.Eventually(t, "the file is there", func() (there bool) {
		var err error
		first, err = os.Stat(file)
		return err == nil
	})
	if owner := first.Sys().(*syscall.Stat_t).Uid; owner != nobody {
		t.Errorf("the file belongs to user %d", owner)
	}
	harness.Eventually(t, "it is written again", func() bool {
		next, err := os.Stat(file)
		return err == nil && !os.SameFile(first, next)
	})
	b.Signal(syscall.SIGTERM)
	b.WaitExit()
	data, _ := os.ReadFile(file)
	state(t, string(data))
	if entries, _ := os.ReadDir(states); len(entries) != 1 {
		t.Errorf("%v is left", entries)
	}
	if entries, _ := os.ReadDir(jail); len(entries) != 0 {
		t.Errorf("%v is in the jail", entries)
	}
}

// Where the file cannot be written, that is said at the start, and all else goes on.
func TestStatesThatCannotBeSaved(t *testing.T) {
	harness.SluiceOnly(t, harness.SavesStates)
	dir := harness.ShortDir(t)
	if err := os.Mkdir(filepath.Join(dir, "states"), 0o755); err != nil { // a directory is in its place
		t.Fatal(err)
	}
	origin := harness.Serve(t, harness.Name("s"))
	bind := harness.Loopback(t)
	b := harness.Start(t, "global\n  server-state-file "+dir+"/states\n  server-state-save\n"+
		section("listen l", "mode tcp", "bind "+bind, "server s "+origin.Addr))
	b.Stderr.WaitText(t, "cannot write server state file '"+dir+"/states', which stays as it was: ")
	if name, err := harness.Ask(bind); name != "s" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v is left", entries)
	}
}
