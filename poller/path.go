//go:build linux && (amd64 || arm64)

package poller

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Path is what the kernel knows of the way to a TCP connection's peer (tcp(7), TCP_INFO).
type Path struct {
	RoundTrip     time.Duration // smoothed (RFC 6298)
	Segments      uint64        // with data, that were sent
	Retransmitted uint64        // segments that were sent again, SYNs too
}

// Path asks for it, which costs one system call. Sockets that are no TCP connections have none: EOPNOTSUPP.
func (s *Socket) Path() (Path, Errno) {
	var info unix.TCPInfo
	length := uint32(unix.SizeofTCPInfo)
	_, _, e := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&length)), 0)
	if e != 0 {
		return Path{}, e
	}
	return Path{time.Duration(info.Rtt) * time.Microsecond, uint64(info.Data_segs_out), uint64(info.Total_retrans)}, 0
}
