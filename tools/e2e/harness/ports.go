package harness

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
)

// ports remembers what this run has handed out. The lock guards both fields.
var ports struct {
	sync.Mutex
	given map[int]bool
	limit int // first port of the kernel's range for outgoing connections
}

// Port returns a TCP port that is free on every local address and that no other test of this run was given.
//
// It lies below the kernel's range for outgoing connections: from inside that range any client's connection could take
// it between now and the moment that the balancer binds it, and with tens of thousands of connections one would.
func Port(t testing.TB) int {
	t.Helper()
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = map[int]bool{}
		ports.limit = 32768
		if data, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
			fmt.Sscan(string(data), &ports.limit)
		}
		ports.limit = min(max(ports.limit, 12000), 60000)
	}
	for range 2000 {
		port := 10000 + rand.IntN(ports.limit-10000)
		if ports.given[port] {
			continue
		}
		if free(port) {
			ports.given[port] = true
			return port
		}
	}
	t.Fatal("no free port found below the ephemeral range")
	return 0
}

// free tries a port. No child may be forked meanwhile: until it has called exec it would keep the socket open.
func free(port int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// Loopback is Port as an address of 127.0.0.1.
func Loopback(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", Port(t))
}

// Ports returns the first of n successive ports that are all free.
func Ports(t testing.TB, n int) int {
	t.Helper()
	for range 200 {
		first := Port(t)
		ports.Lock()
		whole := true
		for port := first + 1; port < first+n; port++ {
			whole = whole && !ports.given[port] && free(port)
		}
		for port := first + 1; whole && port < first+n; port++ {
			ports.given[port] = true
		}
		ports.Unlock()
		if whole {
			return first
		}
	}
	t.Fatalf("no %d successive free ports found", n)
	return 0
}
