package tcplog

import (
	"fmt"
	"net"
	"strconv"
)

// sink takes whole lines to one place. Only the shipper's goroutine calls write; it never blocks.
type sink interface {
	// write hands one line over, or says why it is lost.
	write(line []byte) (reason DropReason, ok bool)
	// idle says whether everything that was written is with the kernel.
	idle() bool
	// close gives up what is left.
	close()
}

// DropReason says why a line was lost.
type DropReason int

// The reasons.
const (
	DropRingFull   DropReason = iota // the loop logged faster than the shipper could carry
	DropTargetBusy                   // the kernel's buffer, or the queue before a blocked descriptor, was full
	DropTargetGone                   // nobody at the other end, or an error of the system
	DropClosed                       // logged after Close, or left when Close ran out of time
	DropTooLong                      // an object of JSON that the target's len would cut
	DropReasons                      // how many there are
)

// String is the reason's name for counters.
func (r DropReason) String() string {
	return [...]string{"ring full", "target busy", "target gone", "closed", "too long"}[r]
}

// sink finds or opens the sink of t. Targets of several loggers that name the same place share one.
func (s *Shipper) sink(t Target) (sink, error) {
	fd := t.FD
	switch t.Network {
	case "stdout":
		fd = 1
	case "stderr":
		fd = 2
	case "fd":
		if fd < 0 {
			return nil, fmt.Errorf("log descriptor %d is negative", fd)
		}
	case "ring":
		if buffer := s.bufferOf(t); buffer != nil {
			return buffer, nil
		}
		return nil, fmt.Errorf("there is no ring '%s'", t.Address)
	case "udp":
		address, err := net.ResolveUDPAddr("udp", t.Address)
		if err != nil {
			return nil, fmt.Errorf("log address '%s': %w", t.Address, err)
		}
		return s.shared("udp:"+address.String(), func() sink {
			return newDatagramSink(true, s.rest, func() (datagramConn, error) { return net.DialUDP("udp", nil, address) })
		}), nil
	case "unixgram":
		if t.Address == "" {
			return nil, fmt.Errorf("log socket without a path")
		}
		address := &net.UnixAddr{Net: "unixgram", Name: t.Address}
		return s.shared("unixgram:"+t.Address, func() sink {
			return newDatagramSink(false, s.rest, func() (datagramConn, error) { return net.DialUnix("unixgram", nil, address) })
		}), nil
	default:
		return nil, fmt.Errorf("unknown log network '%s'; known: udp unixgram stdout stderr fd ring", t.Network)
	}
	return s.shared("fd:"+strconv.Itoa(fd), func() sink { return newStreamSink(fd, s) }), nil
}

func (s *Shipper) shared(key string, open func() sink) sink {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sinks[key] == nil {
		s.sinks[key] = open()
	}
	return s.sinks[key]
}
