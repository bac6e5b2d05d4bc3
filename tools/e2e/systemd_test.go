package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// manager is a service manager's socket. As systemd with NotifyAccess=main it believes only the process that it takes for the
// service's main one, which the kernel tells it, and what that one says who it is from now on.
type manager struct {
	env  []string
	main int
	conn *net.UnixConn
}

func startManager(t *testing.T, name string) *manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if name[0] == '/' {
		if err := os.Chmod(name, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1) })
	if err != nil {
		t.Fatal(err)
	}
	return &manager{env: []string{"NOTIFY_SOCKET=" + name}, conn: conn}
}

// next gives the next message that is believed; empty: none came in the time.
func (m *manager) next(t *testing.T, within time.Duration) string {
	t.Helper()
	message, control := make([]byte, 4096), make([]byte, syscall.CmsgSpace(syscall.SizeofUcred))
	m.conn.SetReadDeadline(time.Now().Add(within))
	for {
		n, c, _, _, err := m.conn.ReadMsgUnix(message, control)
		if os.IsTimeout(err) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		parts, err := syscall.ParseSocketControlMessage(control[:c])
		if err != nil || len(parts) != 1 {
			t.Fatal(parts, err)
		}
		sender, err := syscall.ParseUnixCredentials(&parts[0])
		if err != nil {
			t.Fatal(err)
		}
		if m.main == 0 {
			m.main = int(sender.Pid)
		}
		if int(sender.Pid) != m.main {
			continue
		}
		text := string(message[:n])
		for line := range strings.SplitSeq(text, "\n") {
			fmt.Sscanf(line, "MAINPID=%d", &m.main)
		}
		return text
	}
}

// await waits for a message with an assignment.
func (m *manager) await(t *testing.T, assignment string) string {
	t.Helper()
	for deadline := time.Now().Add(harness.Patience); time.Now().Before(deadline); {
		if message := m.next(t, harness.Patience); slices.Contains(strings.Split(message, "\n"), assignment) {
			return message
		}
	}
	t.Fatalf("the service manager was not told %s", assignment)
	return ""
}

// READY comes when it listens, STOPPING when it does no more, also over an abstract socket and, as another user, out of a chroot in
// which the socket's path means nothing. "hard-stop-after" is told to the manager.
func TestNotify(t *testing.T) {
	harness.SluiceOnly(t, harness.ServiceManager)
	t.Parallel()
	for name, socket := range map[string]string{"path": harness.ShortDir(t) + "/notify", "abstract": fmt.Sprintf("@sluice-e2e-%d", os.Getpid())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			global := ""
			if os.Geteuid() == 0 {
				global = "  user nobody\n  chroot " + harness.ShortDir(t) + "\n"
			}
			m, logs, addr, origin := startManager(t, socket), harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
			b := harness.Start(t, "global\n  hard-stop-after 1m\n"+global+config(logs, "", section("listen front", "bind "+addr, "server origin "+origin.Addr)),
				harness.Options{Env: m.env, Unready: true})
			want := fmt.Sprintf("READY=1\nMAINPID=%d\nSTATUS=Ready: 1 listener, 1 server (1 up), 0 connections", b.PID)
			if got := m.await(t, "READY=1"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			client := harness.DialTCP(t, addr) // at once: that is what READY says
			exchange(t, client)
			b.Signal(syscall.SIGUSR1)
			want = "STOPPING=1\nSTATUS=Stopping: 1 connection left\nEXTEND_TIMEOUT_USEC=65000000"
			if got := m.await(t, "STOPPING=1"); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			client.Close()
			if code := b.WaitExit(); code != 0 {
				t.Errorf("ended with code %d", code)
			}
		})
	}
}

// A start that fails is explained.
func TestNotifyOfFailure(t *testing.T) {
	harness.SluiceOnly(t, harness.ServiceManager)
	t.Parallel()
	m, addr := startManager(t, harness.ShortDir(t)+"/notify"), harness.Loopback(t)
	file := harness.ShortDir(t) + "/a.cfg"
	harness.WriteFile(t, file, strings.Replace(valid, "127.0.0.1:1\n", addr+"\n  bind 192.0.2.1:1\n", 1))
	b := harness.Start(t, "", harness.Options{Env: m.env, Args: []string{"-db", "-f", file}, Unready: true})
	if got := m.next(t, harness.Patience); !strings.HasPrefix(got, "STATUS=Cannot start: ") || !strings.Contains(got, "192.0.2.1:1") {
		t.Errorf("%q", got)
	}
	if code := b.WaitExit(); code != 1 {
		t.Errorf("ended with code %d", code)
	}
}

// With -D the first process hands over to the one in the background, which is then believed, also by the watchdog.
func TestNotifyFromTheBackground(t *testing.T) {
	harness.SluiceOnly(t, harness.ServiceManager)
	t.Parallel()
	m, addr, file := startManager(t, harness.ShortDir(t)+"/notify"), harness.Loopback(t), harness.ShortDir(t)+"/a.cfg"
	harness.WriteFile(t, file, strings.Replace(valid, "127.0.0.1:1\n", addr+"\n", 1))
	script := "export WATCHDOG_PID=$$; exec \"$0\" \"$@\"" // as systemd sets it
	b := harness.Start(t, "", harness.Options{
		Env: append(m.env, "WATCHDOG_USEC=200000"), Wrap: []string{"sh", "-c", script}, Args: []string{"-D", "-f", file}, Unready: true,
	})
	m.main = b.PID
	m.await(t, "READY=1")
	if m.main == b.PID {
		t.Fatal("no other process was named")
	}
	t.Cleanup(func() { syscall.Kill(m.main, syscall.SIGKILL) })
	m.await(t, "WATCHDOG=1")
	if code := b.WaitExit(); code != 0 {
		t.Errorf("the first process ended with code %d", code)
	}
	syscall.Kill(m.main, syscall.SIGTERM)
	m.await(t, "STOPPING=1")
}

// A loop whose thread is stopped, while all other threads go on, silences the watchdog until it turns again.
func TestWatchdogOfAStoppedThread(t *testing.T) {
	harness.SluiceOnly(t, harness.ServiceManager)
	t.Parallel()
	harness.NeedRoot(t, "to stop a thread (ptrace(2))")
	if runtime.NumCPU() < 2 {
		t.Skip("on one CPU a loop's thread cannot be told from others by its affinity")
	}
	m, logs, addr := startManager(t, harness.ShortDir(t)+"/notify"), harness.ReceiveUDP(t), harness.Loopback(t)
	b := harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server origin "+harness.Refused(t))),
		harness.Options{Env: append(m.env, "WATCHDOG_USEC=100000")})
	m.main = b.PID
	m.await(t, "WATCHDOG=1")
	runtime.LockOSThread() // a tracer is a thread
	defer runtime.UnlockOSThread()
	loop := boundThread(t, b.PID)
	if err := syscall.PtraceAttach(loop); err != nil {
		harness.Skip(t, "threads cannot be traced here: "+err.Error())
	}
	const ofAnyThread = 0x40000000 // __WALL, wait4(2)
	if _, err := syscall.Wait4(loop, nil, ofAnyThread, nil); err != nil {
		t.Fatal(err)
	}
	// What was on its way may still come, but then nothing does: as long as ten of the watchdog's times.
	silent := harness.WaitUntil(harness.Patience, func() bool { return m.next(t, time.Second) == "" })
	if !silent {
		t.Error("a loop is stopped, and the watchdog is told that all is well")
	}
	if err := syscall.PtraceDetach(loop); err != nil {
		t.Fatal(err)
	}
	m.await(t, "WATCHDOG=1")
}

// boundThread finds a thread of the process that may run on one CPU alone: a loop's.
func boundThread(t *testing.T, pid int) int {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, file := range files {
		data, _ := os.ReadFile(file)
		_, after, _ := strings.Cut(string(data), "Cpus_allowed_list:\t")
		if cpus, _, _ := strings.Cut(after, "\n"); cpus != "" && !strings.ContainsAny(cpus, ",-") {
			var id int
			fmt.Sscan(filepath.Base(filepath.Dir(file)), &id)
			return id
		}
	}
	t.Fatal("no thread is bound to a CPU")
	return 0
}
