//go:build linux

package origin

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sluice-lb/sluice/bench/frame"
)

// servePlain serves the listeners with a goroutine for each connection until stop is called.
func (s *server) servePlain(listeners []net.Listener) (stop func()) {
	for i, listener := range listeners {
		s.running.Go(func() {
			for {
				connection, err := listener.Accept()
				if errors.Is(err, net.ErrClosed) {
					return
				}
				if err != nil { // descriptors: a connection ends, or the next Accept waits for one
					s.errors.Add(1)
					continue
				}
				s.connections.Add(1)
				s.byAddress[i].Add(1)
				tcp := connection.(*net.TCPConn)
				switch s.spec.Kind {
				case Echo:
					s.echo(tcp)
				default:
					s.stream(tcp, s.spec.Kind == Sink, s.spec.Kind == Source, binary.BigEndian.AppendUint32(nil, frame.Endless))
				}
			}
		})
	}
	return func() {
		for _, listener := range listeners {
			listener.Close()
		}
	}
}

// keep notes an open connection. It closes it, and gives false, if the origin has ended.
func (s *server) keep(connection net.Conn) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.streams == nil {
		connection.Close()
		return false
	}
	s.streams[connection] = struct{}{}
	return true
}

func (s *server) drop(connection net.Conn) {
	connection.Close()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	delete(s.streams, connection)
}

func (s *server) closeStreams() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for connection := range s.streams {
		connection.Close()
	}
	s.streams = nil
}

// echo sends back what it reads, by splice(2), which is in io.Copy.
func (s *server) echo(connection *net.TCPConn) {
	if !s.keep(connection) {
		return
	}
	s.running.Go(func() {
		defer s.drop(connection)
		n, err := io.Copy(connection, connection)
		s.bytesIn.Add(uint64(n))
		s.bytesOut.Add(uint64(n))
		s.note(err)
		_ = connection.CloseWrite() // the connection is closed next
	})
}

// stream reads until the FIN if sink, writes until that fails if source, and closes when both have ended.
func (s *server) stream(connection *net.TCPConn, sink, source bool, tag []byte) {
	if !s.keep(connection) {
		return
	}
	s.running.Go(func() {
		defer s.drop(connection)
		var writing sync.WaitGroup
		if source {
			s.note(s.pace(connection))
			writing.Go(func() { s.note(s.write(connection, tag)) })
		}
		s.note(s.discard(connection)) // a source reads too, to learn that the peer has closed
		if !sink {
			connection.Close()
		}
		writing.Wait()
	})
}

// pace holds what is written to connection to the rate.
func (s *server) pace(connection *net.TCPConn) error {
	if s.spec.StreamRate == 0 {
		return nil
	}
	raw, err := connection.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MAX_PACING_RATE, s.spec.StreamRate)
	})
	return errors.Join(err, failed)
}

func (s *server) write(connection *net.TCPConn, tag []byte) error {
	n, err := connection.Write(tag)
	s.bytesOut.Add(uint64(n))
	for err == nil {
		n, err = connection.Write(filler)
		s.bytesOut.Add(uint64(n))
	}
	return err
}

// nowhere is what discarded bytes are not written to.
var nowhere = make([]byte, 1<<20)

// discard reads until the FIN.
func (s *server) discard(connection *net.TCPConn) error {
	raw, err := connection.SyscallConn()
	if err != nil {
		return err
	}
	for {
		var n int
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, _, failed = unix.Recvfrom(int(fd), nowhere, unix.MSG_TRUNC|unix.MSG_DONTWAIT)
			return failed != unix.EAGAIN && failed != unix.EINTR
		})
		switch {
		case err != nil:
			return err
		case failed != nil:
			return failed
		case n <= 0:
			return nil
		}
		s.bytesIn.Add(uint64(n))
	}
}

// note counts an error of a stream that is not just its end.
func (s *server) note(err error) {
	switch {
	case err == nil, errors.Is(err, net.ErrClosed), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE), errors.Is(err, io.EOF):
	default:
		s.errors.Add(1)
	}
}
