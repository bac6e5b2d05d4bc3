package harness

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// Blackhole returns a loopback address whose listener answers no further SYN: its queue of connections is full and
// nobody accepts them. A connect to it hangs, as it does to a host that drops everything.
func Blackhole(t testing.TB) string {
	t.Helper()
	port := Port(t)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(os.NewSyscallError("socket", err))
	}
	t.Cleanup(func() { syscall.Close(fd) })
	// An earlier run's connections may linger at this port.
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(os.NewSyscallError("setsockopt", err))
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(os.NewSyscallError("bind", err))
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(os.NewSyscallError("listen", err))
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for range 8 {
		conn, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("the listener's queue does not fill")
	return ""
}

// Refused returns a loopback address where nothing listens, and nothing will.
func Refused(t testing.TB) string {
	t.Helper()
	return Loopback(t)
}
