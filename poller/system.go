//go:build linux && (amd64 || arm64)

package poller

import (
	"net"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls of the data path, through RawSyscall: they never block (every descriptor is nonblocking), so the runtime
// need not be told, which would cost a hand-off of the P each time. Pointers are converted in the call itself, as
// unsafe.Pointer's rule 4 demands. None of these calls sleeps, so none is interrupted; splice is asked again all the same.

func recv(fd int32, b []byte) (int, Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), 0, 0, 0)
	return int(n), e
}

func peek(fd int32, b []byte) (int, Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_PEEK, 0, 0)
	return int(n), e
}

func shutdownWrite(fd int32) Errno {
	_, _, e := syscall.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return e
}

func send(fd int32, b []byte, flags int) (int, Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		uintptr(flags|unix.MSG_NOSIGNAL), 0, 0)
	return int(n), e
}

func splice(in, out int32, max, flags int) (int, Errno) {
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_SPLICE, uintptr(in), 0, uintptr(out), 0, uintptr(max), uintptr(flags))
		if e != EINTR {
			return int(n), e
		}
	}
}

func accept4(fd int32, raw *sockaddr, length *uint32, flags int) (int, Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(raw)), uintptr(unsafe.Pointer(length)), uintptr(flags), 0, 0)
	return int(n), e
}

func connect(fd int32, raw *sockaddr, length uint32) Errno {
	_, _, e := syscall.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(raw)), uintptr(length))
	return e
}

func bind(fd int32, raw *sockaddr, length uint32) Errno {
	_, _, e := syscall.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(raw)), uintptr(length))
	return e
}

func name(trap uintptr, fd int32, raw *sockaddr) (uint32, Errno) {
	length := uint32(unix.SizeofSockaddrAny)
	_, _, e := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(raw)), uintptr(unsafe.Pointer(&length)))
	return length, e
}

func setInt(fd int32, level, option, value int) Errno {
	v := int32(value)
	_, _, e := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&v)), 4, 0)
	return e
}

func setLinger(fd int32, on bool) Errno {
	l := unix.Linger{}
	if on {
		l.Onoff = 1
	}
	_, _, e := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&l)), unsafe.Sizeof(l), 0)
	return e
}

func getInt(fd int32, level, option int) (int, Errno) {
	v, length := int32(0), uint32(4)
	_, _, e := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&v)), uintptr(unsafe.Pointer(&length)), 0)
	return int(v), e
}

func tcpInfo(fd int32, info *unix.TCPInfo) Errno {
	length := uint32(unsafe.Sizeof(*info))
	_, _, e := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO, uintptr(unsafe.Pointer(info)), uintptr(unsafe.Pointer(&length)), 0)
	return e
}

// outQueue is how many bytes TCP has taken and the peer has not acknowledged (tcp(7), SIOCOUTQ).
func outQueue(fd int32) (int32, Errno) {
	var n int32
	_, _, e := syscall.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&n)))
	return n, e
}

func newSocket(family, kind, protocol int) (int, Errno) {
	n, _, e := syscall.RawSyscall(unix.SYS_SOCKET, uintptr(family), uintptr(kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC), uintptr(protocol))
	return int(n), e
}

func closeFD(fd int32) {
	// close(2): the descriptor is gone even after EINTR, so it is never repeated.
	syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

func epollControl(epoll int32, op int, fd int32, ev *unix.EpollEvent) Errno {
	_, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(ev)), 0, 0)
	return e
}

// epollWaitRaw blocks the thread without telling the runtime: see wait.go for when that is right. EINTR is returned.
func epollWaitRaw(epoll int32, events []unix.EpollEvent, milliseconds int) (int, Errno) {
	n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))),
		uintptr(len(events)), uintptr(milliseconds), 0, 0)
	return int(n), e
}

func rawPointer(raw *sockaddr) unsafe.Pointer { return unsafe.Pointer(raw) }

// zoneIndex gives an IPv6 zone's interface index; zero if there is none of that name.
func zoneIndex(zone string) uint32 {
	if n, err := strconv.Atoi(zone); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// setMD5 gives the key for segments from and to peer, or from anybody where peer is nil (tcp.h, TCP_MD5SIG_EXT).
func setMD5(fd int32, family int, peer *Addr, key string) Errno {
	var sig unix.TCPMD5Sig
	any := Addr{}
	if peer == nil {
		any = anyAddr(family)
		peer = &any
	}
	var raw sockaddr
	length, e := peer.encode(&raw)
	if e != 0 {
		return e
	}
	if len(key) > len(sig.Key) {
		return EINVAL
	}
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&sig.Addr)), unsafe.Sizeof(sig.Addr)), unsafe.Slice((*byte)(unsafe.Pointer(&raw)), length))
	sig.Keylen = uint16(copy(sig.Key[:], key))
	option := unix.TCP_MD5SIG
	if any.IsValid() {
		sig.Flags = unix.TCP_MD5SIG_FLAG_PREFIX
		option = unix.TCP_MD5SIG_EXT
	}
	_, _, errno := syscall.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, uintptr(option),
		uintptr(unsafe.Pointer(&sig)), unsafe.Sizeof(sig), 0)
	return errno
}
