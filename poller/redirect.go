package poller

import (
	"time"

	"golang.org/x/sys/unix"
)

// What a flow needs whose bytes the kernel moves by itself.

// Quiet makes the loop report no bytes that come to s any more, until Attend: the kernel would wake it for all those that
// it moves by itself. Writable, PeerClosed, Hangup and Failed are reported as ever.
func (l *Loop) Quiet(s *Socket) Errno {
	return l.modify(s, unix.EPOLLOUT|unix.EPOLLRDHUP|unix.EPOLLET)
}

// Attend makes the loop report everything again; the kernel reports what is ready already.
func (l *Loop) Attend(s *Socket) Errno {
	return l.modify(s, everything)
}

func (l *Loop) modify(s *Socket, events uint32) Errno {
	ev := unix.EpollEvent{Events: events, Fd: s.slot, Pad: int32(l.slots[s.slot].generation)}
	return epollControl(l.epoll, unix.EPOLL_CTL_MOD, s.fd, &ev)
}

// Taken is how many bytes TCP has taken on this side since the connection began, to send them: those that are acknowledged,
// and those that are not. EAGAIN: while it was asked, acknowledgements kept coming, and it is not known.
//
// The kernel answers two questions for it. Between them an acknowledgement may move bytes from the second answer to the first,
// so the first is asked again.
func (s *Socket) Taken() (uint64, Errno) {
	var info unix.TCPInfo
	if e := tcpInfo(s.fd, &info); e != 0 {
		return 0, e
	}
	for range 8 {
		acknowledged := info.Bytes_acked
		waiting, e := outQueue(s.fd)
		if e == 0 {
			e = tcpInfo(s.fd, &info)
		}
		if e != 0 {
			return 0, e
		}
		if info.Bytes_acked == acknowledged {
			return acknowledged + uint64(waiting), 0
		}
	}
	return 0, EAGAIN
}

// LastSent is when TCP sent bytes on this side last, on the loop's clock, to a few milliseconds (tcpi_last_data_sent).
func (s *Socket) LastSent() (time.Duration, Errno) {
	var info unix.TCPInfo
	if e := tcpInfo(s.fd, &info); e != 0 {
		return 0, e
	}
	return time.Since(epoch) - time.Duration(info.Last_data_sent)*time.Millisecond, 0
}

// Since tells when it was on the loop's clock that CLOCK_MONOTONIC was at the given time.
func (l *Loop) Since(monotonic time.Duration) time.Duration { return monotonic - epochMonotonic }

// epochMonotonic is CLOCK_MONOTONIC at epoch, not earlier.
var epochMonotonic = func() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano()) - time.Since(epoch)
}()
