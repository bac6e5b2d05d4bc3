package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The bulk load is this program again, as two other processes: an origin and a client. They write in large pieces, and read
// without copying (recv(2), MSG_TRUNC on TCP), so that the core that they share has time left.
//
// A client sends a request: a direction and a size. For "down" the origin sends that many bytes and closes. For "up" the
// client sends them; the origin answers with one byte when it has them all.

const (
	roleWord  = "as" // versus as origin, versus as copy …
	pieceSize = 256 << 10
)

// playRole runs one of the two: "origin ADDRESS" or "copy ADDRESS down|up STREAMS BYTES", bytes per stream.
func playRole(arguments []string) error {
	switch {
	case len(arguments) == 2 && arguments[0] == "origin":
		listener, err := net.Listen("tcp", arguments[1])
		if err != nil {
			return err
		}
		return serveBulk(listener)
	case len(arguments) == 5 && arguments[0] == "copy" && (arguments[2] == "down" || arguments[2] == "up"):
		streams, err := strconv.Atoi(arguments[3])
		bytes, err2 := strconv.ParseInt(arguments[4], 10, 64)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		moved, err := copyBulk(arguments[1], arguments[2] == "up", streams, bytes)
		if err == nil {
			fmt.Println(moved)
		}
		return err
	}
	return fmt.Errorf("unknown role %q", arguments)
}

func serveBulk(listener net.Listener) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			if err := answerBulk(connection.(*net.TCPConn)); err != nil {
				fmt.Fprintln(os.Stderr, "origin:", err)
			}
		}()
	}
}

func answerBulk(c *net.TCPConn) error {
	up, bytes, err := readRequest(c)
	if err != nil || bytes == 0 {
		return err
	}
	if !up {
		return sendBytes(c, bytes)
	}
	if err := discardBytes(c, bytes); err != nil {
		return err
	}
	_, err = c.Write([]byte{1})
	return err
}

func readRequest(r io.Reader) (up bool, bytes int64, err error) {
	var b [9]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		if errors.Is(err, io.EOF) { // whoever only looked whether the port is open
			return false, 0, nil
		}
		return false, 0, err
	}
	return b[0] == 'u', int64(binary.BigEndian.Uint64(b[1:])), nil
}

func appendRequest(up bool, bytes int64) []byte {
	direction := byte('d')
	if up {
		direction = 'u'
	}
	return binary.BigEndian.AppendUint64([]byte{direction}, uint64(bytes))
}

// copyBulk moves so many bytes in each stream, all at once, and gives their sum.
func copyBulk(address string, up bool, streams int, bytes int64) (int64, error) {
	var (
		group  sync.WaitGroup
		moved  atomic.Int64
		errs   = make([]error, streams)
		dialer = net.Dialer{Timeout: 5 * time.Second}
	)
	for i := range errs {
		group.Go(func() {
			c, err := dialer.Dial("tcp", address)
			if err != nil {
				errs[i] = err
				return
			}
			defer c.Close()
			if errs[i] = askBulk(c.(*net.TCPConn), up, bytes); errs[i] == nil {
				moved.Add(bytes)
			}
		})
	}
	group.Wait()
	return moved.Load(), errors.Join(errs...)
}

func askBulk(c *net.TCPConn, up bool, bytes int64) error {
	if _, err := c.Write(appendRequest(up, bytes)); err != nil {
		return err
	}
	if !up {
		return discardBytes(c, bytes)
	}
	if err := sendBytes(c, bytes); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

func sendBytes(c *net.TCPConn, bytes int64) error {
	piece := make([]byte, pieceSize)
	for bytes > 0 {
		n, err := c.Write(piece[:min(bytes, pieceSize)])
		if err != nil {
			return err
		}
		bytes -= int64(n)
	}
	return nil
}

// discardBytes takes exactly so many bytes out of the socket without looking at them.
func discardBytes(c *net.TCPConn, bytes int64) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	piece := make([]byte, pieceSize)
	for bytes > 0 {
		var n int
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, _, failed = unix.Recvfrom(int(fd), piece[:min(bytes, pieceSize)], unix.MSG_TRUNC)
			return failed != syscall.EAGAIN && failed != syscall.EINTR
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%d bytes are missing: %w", bytes, io.ErrUnexpectedEOF)
		}
		bytes -= int64(n)
	}
	return nil
}
