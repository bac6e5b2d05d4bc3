package poller

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errCgo: package syscall changes all threads by itself only in a program without cgo.
var errCgo = errors.New("not possible in a program that was built with cgo; build with CGO_ENABLED=0")

// KeepCapabilities makes every thread keep its permitted capabilities when the process changes from root to another user
// (prctl(2), PR_SET_KEEPCAPS). The effective ones are lost all the same: LimitTo gives some back.
func KeepCapabilities() error {
	return allThreads("prctl", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1, 0)
}

// Capability is one that the process may keep (capabilities(7)).
type Capability uint8

// The capabilities that are needed for as long as the process runs.
const (
	NetBindService Capability = unix.CAP_NET_BIND_SERVICE // ports below 1024
	NetRaw         Capability = unix.CAP_NET_RAW          // foreign addresses (IP_TRANSPARENT)
	SysAdmin       Capability = unix.CAP_SYS_ADMIN        // other network namespaces (setns(2))
)

// String is the name in capabilities(7).
func (c Capability) String() string {
	return map[Capability]string{NetBindService: "CAP_NET_BIND_SERVICE", NetRaw: "CAP_NET_RAW", SysAdmin: "CAP_SYS_ADMIN"}[c]
}

// LimitTo leaves every thread these capabilities and no other, nor any for programs that it executes.
func LimitTo(capabilities []Capability) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3} // pid 0: the calling thread
	mask := uint32(0)
	for _, c := range capabilities {
		mask |= 1 << c
	}
	data := [2]unix.CapUserData{{Effective: mask, Permitted: mask}}
	return allThreads("capset", unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&data)), 0)
}

// allThreads makes a system call on every thread of the process; credentials belong to threads (capabilities(7)).
//
//go:uintptrescapes
func allThreads(name string, trap, a, b, c uintptr) error {
	_, _, errno := syscall.AllThreadsSyscall(trap, a, b, c)
	switch errno {
	case 0:
		return nil
	case syscall.ENOTSUP:
		return fmt.Errorf("%s on all threads: %w", name, errCgo)
	}
	return os.NewSyscallError(name, errno)
}

// SetDumpable lets the kernel write a core file although the process has changed its user (prctl(2), PR_SET_DUMPABLE). It
// holds for the whole process.
func SetDumpable() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0))
}
