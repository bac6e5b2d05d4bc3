package lb

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// netnsName is one that no other test uses, and that is removed when the test ends.
func netnsName(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: to make network namespaces")
	}
	name := fmt.Sprintf("netns-%d-%s", os.Getpid(), strings.ToLower(t.Name()))
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	return name
}

func ip(t *testing.T, arguments ...string) {
	t.Helper()
	if out, err := exec.Command("ip", arguments...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(arguments, " "), err, out)
	}
}

// A namespace that comes when the process has another user and another root directory: a port below 1024 is opened there, by what
// was kept of the privileges.
func TestNamespaceAfterPrivilegesAreDropped(t *testing.T) {
	name := netnsName(t)
	ip(t, "netns", "add", name) // so that the directory is there
	ip(t, "netns", "del", name)
	binary := filepath.Join(t.TempDir(), "sluice")
	build := exec.Command("go", "build", "-o", binary, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pidFile := t.TempDir() + "/pid"
	lines := append(listening(freePort(t), " uid 65534", " gid 65533", " chroot "+t.TempDir()), " bind 127.0.0.1:81 namespace "+name+" late")
	if out, err := exec.Command(binary, "-D", "-f", writeFile(t, "a.cfg", lines...), "-p", pidFile).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	readPID(t, pidFile) // it is ended with the test
	ip(t, "netns", "add", name)
	ip(t, "-n", name, "link", "set", "lo", "up")
	deadline := time.Now().Add(20 * time.Second)
	for exec.Command("ip", "netns", "exec", name, "socat", "-u", "OPEN:/dev/null", "TCP:127.0.0.1:81").Run() != nil {
		if time.Now().After(deadline) {
			t.Fatal("it does not listen in the namespace")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Who may not enter a namespace says what it needs.
func TestNamespaceWithoutPrivileges(t *testing.T) {
	name := netnsName(t)
	ip(t, "netns", "add", name)
	config := writeFile(t, "a.cfg", append(listening(freePort(t)), " server x 127.0.0.1:1 namespace "+name)...)
	if err := os.Chmod(filepath.Dir(config), 0o755); err != nil {
		t.Fatal(err)
	}
	command := program(t, "-f", config)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 0, Gid: 0}, AmbientCaps: nil, Unshareflags: syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}}}
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "cannot be entered: operation not permitted; this needs CAP_SYS_ADMIN: start as root") {
		t.Errorf("%v: %s", err, out)
	}
}

// A listener whose socket comes and goes: Accept waits meanwhile, and Close ends it.
func TestMovable(t *testing.T) {
	m := newMovable()
	accepted := make(chan string)
	go func() {
		defer close(accepted)
		for {
			conn, err := m.Accept()
			if err != nil {
				return
			}
			accepted <- conn.LocalAddr().String()
			conn.Close()
		}
	}()
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m.move(l)
		for range 2 {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got := <-accepted; got != l.Addr().String() {
				t.Errorf("accepted on %s, want %s", got, l.Addr())
			}
			conn.Close()
		}
		m.move(nil)
		if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
			t.Error("the old socket is open")
		}
	}
	m.Close()
	m.Close()
	if _, open := <-accepted; open {
		t.Error("Accept has not ended")
	}
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil {
		m.move(l)
		if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
			t.Error("a closed one has a socket")
		}
	}
}
