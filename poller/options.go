package poller

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Options that a listener hands down to what it accepts, or that are set before a connect. The zero value leaves
// everything to the kernel.
type SocketOptions struct {
	Interface     string        // SO_BINDTODEVICE; needs CAP_NET_RAW before Linux 5.7
	Transparent   bool          // IP_TRANSPARENT: foreign addresses may be bound; needs CAP_NET_ADMIN or CAP_NET_RAW
	FreeBind      bool          // IP_FREEBIND: addresses that the host does not have yet may be bound
	UserTimeout   time.Duration // TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged
	TOS           int           // IP_TOS and IPV6_TCLASS; used if SetTOS
	SetTOS        bool
	KeepAlive     bool          // SO_KEEPALIVE
	KeepIdle      time.Duration // TCP_KEEPIDLE, whole seconds; 0: the kernel's
	KeepInterval  time.Duration // TCP_KEEPINTVL, whole seconds; 0: the kernel's
	KeepCount     int           // TCP_KEEPCNT; 0: the kernel's
	ReceiveBuffer int           // SO_RCVBUF in bytes; 0: the kernel tunes it
	SendBuffer    int           // SO_SNDBUF in bytes; 0: the kernel tunes it
	MD5Key        string        // TCP_MD5SIG (RFC 2385) towards any peer (listener) or the peer (connect)
	MaxSegment    int           // TCP_MAXSEG
	NoQuickAck    bool          // TCP_QUICKACK off
}

// apply sets the options on fd of the given address family and names the call that failed.
func (o *SocketOptions) apply(fd int32, family int, peer *Addr) (string, Errno) {
	if family == unix.AF_UNIX {
		return o.applyBuffers(fd)
	}
	ip, transparent, freeBind, tos := unix.IPPROTO_IP, unix.IP_TRANSPARENT, unix.IP_FREEBIND, unix.IP_TOS
	if family == unix.AF_INET6 {
		ip, transparent, freeBind, tos = unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, unix.IPV6_FREEBIND, unix.IPV6_TCLASS
	}
	for _, x := range [...]struct {
		wanted               bool
		level, option, value int
		call                 string
	}{
		{o.Transparent, ip, transparent, 1, "setsockopt IP_TRANSPARENT"},
		{o.FreeBind, ip, freeBind, 1, "setsockopt IP_FREEBIND"},
		{o.SetTOS, ip, tos, o.TOS, "setsockopt IP_TOS"},
		{o.UserTimeout > 0, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(o.UserTimeout / time.Millisecond), "setsockopt TCP_USER_TIMEOUT"},
		{o.KeepAlive, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, "setsockopt SO_KEEPALIVE"},
		{o.KeepIdle > 0, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, seconds(o.KeepIdle), "setsockopt TCP_KEEPIDLE"},
		{o.KeepInterval > 0, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, seconds(o.KeepInterval), "setsockopt TCP_KEEPINTVL"},
		{o.KeepCount > 0, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, o.KeepCount, "setsockopt TCP_KEEPCNT"},
		{o.MaxSegment > 0, unix.IPPROTO_TCP, unix.TCP_MAXSEG, o.MaxSegment, "setsockopt TCP_MAXSEG"},
		{o.NoQuickAck, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0, "setsockopt TCP_QUICKACK"},
	} {
		if !x.wanted {
			continue
		}
		if e := setInt(fd, x.level, x.option, x.value); e != 0 {
			return x.call, e
		}
	}
	if o.Interface != "" {
		if err := unix.BindToDevice(int(fd), o.Interface); err != nil {
			return "setsockopt SO_BINDTODEVICE", err.(Errno)
		}
	}
	if o.MD5Key != "" {
		if e := setMD5(fd, family, peer, o.MD5Key); e != 0 {
			return "setsockopt TCP_MD5SIG", e
		}
	}
	return o.applyBuffers(fd)
}

func (o *SocketOptions) applyBuffers(fd int32) (string, Errno) {
	if o.ReceiveBuffer > 0 {
		if e := setInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.ReceiveBuffer); e != 0 {
			return "setsockopt SO_RCVBUF", e
		}
	}
	if o.SendBuffer > 0 {
		if e := setInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, o.SendBuffer); e != 0 {
			return "setsockopt SO_SNDBUF", e
		}
	}
	return "", 0
}

// plain reports whether no option is set, so that a connect saves the walk through the table.
func (o *SocketOptions) plain() bool { return *o == SocketOptions{} }

func seconds(d time.Duration) int { return max(int(d/time.Second), 1) }

func callError(call string, e Errno) error {
	if e == 0 {
		return nil
	}
	return os.NewSyscallError(call, e)
}
