package e2e

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// within runs do on a thread in a network namespace. The thread comes back from it and is used again: if it ended, so would
// the programs that it has started (Pdeathsig).
func within(t *testing.T, namespace string, do func() error) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		enter := func(path string) (err error) {
			file, err := os.Open(path)
			if err == nil {
				defer file.Close()
				err = unix.Setns(int(file.Fd()), unix.CLONE_NEWNET)
			}
			return err
		}
		home, err := os.Open("/proc/thread-self/ns/net")
		if err == nil {
			defer home.Close()
			if err = enter("/run/netns/" + namespace); err == nil {
				err = do()
				if e := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); e != nil {
					panic(e) // it must not be used again
				}
			}
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// synPacket is an IPv4 packet that begins a connection.
func synPacket(from, to [4]byte, port uint16) []byte {
	b := make([]byte, 40)
	b[0], b[8], b[9] = 4<<4|5, 64, 6
	binary.BigEndian.PutUint16(b[2:], 40)
	copy(b[12:], from[:])
	copy(b[16:], to[:])
	tcp := b[20:]
	binary.BigEndian.PutUint16(tcp, uint16(1024+rand.IntN(60000)))
	binary.BigEndian.PutUint16(tcp[2:], port)
	binary.BigEndian.PutUint32(tcp[4:], rand.Uint32())
	tcp[12], tcp[13] = 5<<4, 2
	binary.BigEndian.PutUint16(tcp[14:], 65535)
	sum := uint32(6 + 20)
	for _, part := range [][]byte{b[12:20], tcp} {
		for i := 0; i < len(part); i += 2 {
			sum += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(tcp[16:], ^uint16(sum>>16+sum))
	return b
}

// floodSYNs sends SYNs from an address that never answers, until stop.
func floodSYNs(from, to [4]byte, port uint16, stop *atomic.Bool) (sent int, err error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	for sent < 100_000 && !stop.Load() {
		for range 50 {
			if err := unix.Sendto(fd, synPacket(from, to, port), 0, &unix.SockaddrInet4{Addr: to}); err != nil && err != unix.ENOBUFS {
				return sent, os.NewSyscallError("sendto", err)
			}
			sent++
		}
		time.Sleep(2 * time.Millisecond)
	}
	return sent, nil
}

// Under a SYN flood from one source, all connections of another one succeed: with the guard. Without it they do not, or the test would
// show nothing.
func TestGuardUnderFlood(t *testing.T) {
	harness.SluiceOnly(t, harness.KernelPrograms)
	attacker, victim := [4]byte{10, 3, 0, 66}, [4]byte{10, 3, 0, 1}
	try := func(t *testing.T, guard string) (connected, tried int, show string) {
		outside, inside := harness.Namespace(t, "out"), harness.Namespace(t, "in")
		harness.Cable(t, inside, "front", "10.3.0.1/24", outside, "wire", "10.3.0.2/24")
		harness.Run(t, "ip", "netns", "exec", inside, "sysctl", "-qw", "net.ipv4.tcp_syncookies=0", "net.ipv4.tcp_max_syn_backlog=64", "net.ipv4.tcp_synack_retries=1")
		// What the guard lets pass of the flood is 25 and then 10 a second, each of which waits for 3 s: it never fills the 64 places.
		// Nobody has the attacker's address, and the balancer's host knows where to send its answers all the same.
		mac := strings.TrimSpace(harness.Run(t, "ip", "netns", "exec", outside, "cat", "/sys/class/net/wire/address"))
		harness.Run(t, "ip", "-n", inside, "neighbour", "add", "10.3.0.66", "lladdr", mac, "dev", "front")
		logs := harness.ReceiveUDP(t)
		text, path := withSocket(t, config(logs, "no log", section("listen front", "bind 10.3.0.1:80 backlog 64", "server origin 10.3.0.2:81")))
		harness.Start(t, strings.Replace(text, "global\n", "global\n"+guard, 1),
			harness.Options{Wrap: harness.Inside(inside), Leaky: "connections of the flood"})
		var stop atomic.Bool
		flooded := make(chan struct{})
		go func() {
			defer close(flooded)
			within(t, outside, func() error { _, err := floodSYNs(attacker, victim, 80, &stop); return err })
		}()
		time.Sleep(300 * time.Millisecond) // the flood has filled what it can fill
		within(t, outside, func() error {
			for tried = 0; tried < 20; tried++ {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
				if err != nil {
					return err
				}
				// A SYN that is lost is sent again after a second: so that counts as refused, and a slow machine does not.
				limit := unix.Timeval{Sec: 0, Usec: 900_000}
				unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
				if unix.Connect(fd, &unix.SockaddrInet4{Addr: victim, Port: 80}) == nil {
					connected++
				}
				unix.Close(fd)
				if guard == "" && tried-connected >= 3 {
					break
				}
			}
			return nil
		})
		stop.Store(true)
		<-flooded
		return connected, tried, operate(t, "unix", path, "show guard\n")
	}
	t.Run("without", func(t *testing.T) {
		if connected, tried, _ := try(t, ""); connected >= tried {
			t.Skip("the flood does no harm here")
		}
	})
	t.Run("with", func(t *testing.T) {
		connected, tried, show := try(t, "  ebpf-guard interface front syn-rate 10 syn-burst 25\n")
		if connected != tried {
			t.Errorf("%d of %d connects succeeded\n%s", connected, tried, show)
		}
		if !strings.Contains(show, "guard: on front (native)") || !strings.Contains(show, "source_syn_rate ") || strings.Contains(show, "source_syn_rate 0\n") {
			t.Errorf("the guard tells of no drop: %s", show)
		}
	})
}

// The deny list: from a file, changed by the operator, and through a reload, at which one program takes the place of the other.
func TestGuardDenyList(t *testing.T) {
	harness.SluiceOnly(t, harness.KernelPrograms)
	outside, inside := harness.Namespace(t, "out"), harness.Namespace(t, "in")
	harness.Cable(t, inside, "front", "10.3.0.1/24", outside, "wire", "10.3.0.2/24")
	harness.Run(t, "ip", "-n", outside, "address", "add", "10.3.0.3/24", "dev", "wire")
	deny := filepath.Join(t.TempDir(), "deny")
	harness.WriteFile(t, deny, "# known for no good\n10.3.0.3\n2001:db8::/32 # documentation\n")
	logs := harness.ReceiveUDP(t)
	text, path := withSocket(t, config(logs, "no log", section("listen front", "bind 10.3.0.1:80", "server origin 10.3.0.2:81")))
	text = strings.Replace(text, "global\n", "global\n  ebpf-guard interface front deny-file "+deny+"\n", 1)
	old := harness.Start(t, text, harness.Options{Wrap: harness.Inside(inside), Leaky: "connections that nobody answers"})
	reaches := func(source string) bool {
		reached := false
		within(t, outside, func() error {
			d := net.Dialer{Timeout: 700 * time.Millisecond, LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			limit := unix.NsecToTimeval(d.Timeout.Nanoseconds())
			unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit)
			if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte(net.ParseIP(source).To4())}); err != nil {
				return err
			}
			reached = unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 3, 0, 1}, Port: 80}) == nil
			return nil
		})
		return reached
	}
	expect := func(source string, want bool) {
		t.Helper()
		if reaches(source) != want {
			t.Errorf("%s reaches the balancer: %v", source, !want)
		}
	}
	expect("10.3.0.3", false)
	expect("10.3.0.2", true)
	if got := operate(t, "unix", path, "del guard deny 10.3.0.3; show guard deny\n"); !strings.Contains(got, "2001:db8::/32") || strings.Contains(got, "10.3.0.3") {
		t.Error(got)
	}
	expect("10.3.0.3", true)
	if got := operate(t, "unix", path, "del guard deny 10.3.0.3\n"); !strings.Contains(got, "No such entry") {
		t.Error(got)
	}
	operate(t, "unix", path, "add guard deny 10.3.0.0/24\n")
	expect("10.3.0.2", false)

	// A reload: the file's list is in force again, and one program is there throughout.
	programs := func() string {
		out, _, _ := harness.Exec(t, nil, "ip", "-n", inside, "-d", "link", "show", "front")
		at := strings.Index(out, "prog/xdp")
		if at < 0 {
			return ""
		}
		return fmt.Sprint(strings.Count(out, "prog/xdp"), " ", strings.Fields(out[at:])[2])
	}
	before := programs()
	harness.Start(t, text, harness.Options{Wrap: harness.Inside(inside), Leaky: "connections that nobody answers", Unready: true})
	replaced := func() bool { return programs() != before && strings.HasPrefix(programs(), "1 ") }
	harness.Eventually(t, "the successor's program is there", replaced)
	old.Signal(syscall.SIGUSR1)
	old.WaitExit()
	if !replaced() {
		t.Errorf("with the old process its successor's program has gone: %q", programs())
	}
	expect("10.3.0.3", false)
	expect("10.3.0.2", true)
}

// What is there already and is not ours stays, and the operator is told.
func TestGuardRefusesForeignProgram(t *testing.T) {
	harness.SluiceOnly(t, harness.KernelPrograms)
	outside, inside := harness.Namespace(t, "out"), harness.Namespace(t, "in")
	harness.Cable(t, inside, "front", "10.3.0.1/24", outside, "wire", "10.3.0.2/24")
	object := filepath.Join("..", "..", "ebpf", "guard_bpfel.o")
	if _, stderr, code := harness.Exec(t, nil, "ip", "-n", inside, "link", "set", "dev", "front", "xdp", "object", object, "section", "xdp"); code != 0 {
		harness.Skip(t, "this ip cannot load a program: "+strings.TrimSpace(stderr))
	}
	logs := harness.ReceiveUDP(t)
	text := config(logs, "no log", section("listen front", "bind 10.3.0.1:80", "server origin 10.3.0.2:81"))
	b := harness.Start(t, strings.Replace(text, "global\n", "global\n  ebpf-guard interface front\n", 1), harness.Options{Wrap: harness.Inside(inside)})
	harness.Eventually(t, "a warning", func() bool { return strings.Contains(b.Stderr.Text(), "'ebpf-guard' does not guard") })
}
