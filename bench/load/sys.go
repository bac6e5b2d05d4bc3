//go:build linux

package load

import (
	"errors"
	"net/netip"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the hot path do not tell Go's scheduler that they are made (RawSyscall): telling costs as much as a short call itself.
// That goes for the wait for events, too: package places says why. A garbage collection interrupts it by signal.

// send gives the bytes that the kernel has taken, or the errno.
func send(fd int32, b []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

// receive gives 0 at the peer's FIN. With MSG_TRUNC nothing is written to b (tcp(7)).
func receive(fd int32, b []byte, flags uintptr) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags|unix.MSG_DONTWAIT, 0, 0)
	return int(n), errno
}

func closeFD(fd int32) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// epoll is one epoll set. wait takes nanoseconds where the kernel has epoll_pwait2 (5.11), else whole milliseconds.
type epoll struct {
	fd      int
	coarse  bool
	timeout unix.Timespec
	events  [256]unix.EpollEvent
}

func newEpoll() (*epoll, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &epoll{fd: fd}, os.NewSyscallError("epoll_create1", err)
}

// control adds or changes the events that fd is watched for. An event carries index and generation.
func (p *epoll) control(operation int, fd int32, events uint32, index, generation int32) unix.Errno {
	event := unix.EpollEvent{Events: events, Fd: index, Pad: generation}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(operation), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	return errno
}

// wait waits for at most longest, and not at all if that is not above 0. An interrupted wait is an empty one.
// It is not inlined: a call is where Go stops a goroutine that makes raw system calls.
//
//go:noinline
func (p *epoll) wait(longest time.Duration) ([]unix.EpollEvent, error) {
	longest = max(longest, 0)
	if !p.coarse {
		p.timeout = unix.NsecToTimespec(int64(longest))
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(unsafe.Pointer(&p.timeout)), 0, 0)
		switch errno {
		case 0:
			return p.events[:n], nil
		case unix.EINTR:
			return nil, nil
		case unix.ENOSYS:
			p.coarse = true
		default:
			return nil, os.NewSyscallError("epoll_pwait2", errno)
		}
	}
	n, err := unix.EpollWait(p.fd, p.events[:], int((longest+time.Millisecond-1)/time.Millisecond))
	if errors.Is(err, unix.EINTR) {
		return nil, nil
	}
	return p.events[:max(n, 0)], os.NewSyscallError("epoll_wait", err)
}

// address is what connect(2) and bind(2) take. It is written to when used, so that each loop needs its own.
func address(a netip.AddrPort) (family int, out unix.Sockaddr) {
	if ip := a.Addr().Unmap(); ip.Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Addr: ip.As4(), Port: int(a.Port())}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// ownThread ties the calling goroutine to a thread of its own, which ends with it: what is set here must not come back to Go's pool.
// The kernel may be late with a sleeping thread by its timer slack, 50 µs unless told (prctl(2)).
func ownThread(cpus []int) error {
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl", err)
	}
	if len(cpus) == 0 {
		return nil
	}
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(0, &set))
}
