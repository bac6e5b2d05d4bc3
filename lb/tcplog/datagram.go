package tcplog

import (
	"errors"
	"io"
	"syscall"
	"time"
)

type datagramConn interface {
	io.Closer
	SyscallConn() (syscall.RawConn, error)
}

// datagramSink sends each line as one datagram, over UDP or to a unix socket such as /dev/log. A socket that is not
// there, or whose owner was restarted, is dialled again.
type datagramSink struct {
	dial  func() (datagramConn, error)
	udp   bool
	pause time.Duration // how long a target that cannot be reached is left alone
	conn  datagramConn  // nil: not connected
	raw   syscall.RawConn
	after time.Time // no dialling before this

	// send is made once, because a closure for each line would be an allocation for each line; line and err are its
	// argument and its result.
	send func(fd uintptr) bool
	line []byte
	err  error
}

func newDatagramSink(udp bool, pause time.Duration, dial func() (datagramConn, error)) *datagramSink {
	d := &datagramSink{udp: udp, pause: pause, dial: dial}
	d.send = func(fd uintptr) bool {
		for {
			// The socket is non-blocking. True whatever comes: a net.Conn's own Write would wait for room.
			if _, d.err = syscall.Write(int(fd), d.line); d.err != syscall.EINTR {
				return true
			}
		}
	}
	d.connect() // at once, before a chroot hides the path
	return d
}

func (d *datagramSink) connect() bool {
	d.disconnect()
	now := time.Now()
	if now.Before(d.after) {
		return false
	}
	conn, err := d.dial()
	if err == nil {
		if d.raw, err = conn.SyscallConn(); err == nil {
			d.conn = conn
			return true
		}
		conn.Close()
	}
	d.after = now.Add(d.pause)
	return false
}

func (d *datagramSink) disconnect() {
	if d.conn != nil {
		d.conn.Close()
		d.conn = nil
	}
}

func (d *datagramSink) write(line []byte) (DropReason, bool) {
	d.line = line
	// Twice: the error may be about an earlier datagram, or tell that the socket's owner was restarted.
	for range 2 {
		if d.conn == nil && !d.connect() {
			return DropTargetGone, false
		}
		if err := d.raw.Write(d.send); err != nil {
			d.err = err
		}
		switch {
		case d.err == nil:
			return 0, true
		case errors.Is(d.err, syscall.EAGAIN), errors.Is(d.err, syscall.ENOBUFS): // unix(7), udp(7): the buffer is full
			return DropTargetBusy, false
		case errors.Is(d.err, syscall.EMSGSIZE): // longer than the path or the socket allows
			return DropTargetGone, false
		case d.udp && errors.Is(d.err, syscall.ECONNREFUSED): // udp(7): an ICMP message about an earlier datagram
			continue
		}
		d.disconnect()
	}
	if d.conn == nil {
		d.after = time.Now().Add(d.pause)
	}
	return DropTargetGone, false
}

func (d *datagramSink) idle() bool { return true }
func (d *datagramSink) close()     { d.disconnect() }
