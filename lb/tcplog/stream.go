package tcplog

import (
	"bytes"
	"sync"
	"syscall"
	"time"
)

const (
	// streamQueue is how many bytes may wait for a descriptor that blocks.
	streamQueue = 256 << 10
	// pipeBuf is what a pipe takes in one piece, pipe(7): lines up to this never mix with those of other processes.
	pipeBuf = 4096
)

var newline = []byte{'\n'}

// streamSink writes lines to an inherited descriptor: a pipe, a terminal, a file. Whoever reads it may stop reading, so
// its own goroutine writes, and only that blocks. The shipper leaves lines in a bounded queue.
type streamSink struct {
	fd      int
	shipper *Shipper
	wakeup  chan struct{} // capacity 1

	mu     sync.Mutex
	queue  []byte // guarded by mu; at most streamQueue bytes
	rest   []byte // guarded by mu: what the goroutine took from queue and has not written yet
	closed bool   // guarded by mu
}

func newStreamSink(fd int, s *Shipper) *streamSink {
	t := &streamSink{fd: fd, shipper: s, wakeup: make(chan struct{}, 1)}
	go t.run()
	return t
}

func (t *streamSink) write(line []byte) (DropReason, bool) {
	t.mu.Lock()
	room := len(t.queue)+len(line) <= streamQueue
	if room {
		t.queue = append(t.queue, line...)
	}
	t.mu.Unlock()
	if !room {
		return DropTargetBusy, false
	}
	t.wake()
	return 0, true
}

func (t *streamSink) wake() {
	select {
	case t.wakeup <- struct{}{}:
	default:
	}
}

func (t *streamSink) idle() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.queue)+len(t.rest) == 0
}

// close counts what has not been written. The piece that the goroutine is blocked on may still come out, if the reader
// comes back before the process ends.
func (t *streamSink) close() {
	t.mu.Lock()
	t.closed = true
	lost := bytes.Count(t.queue, newline) + bytes.Count(t.rest, newline)
	t.mu.Unlock()
	t.shipper.drop(DropClosed, lost)
	t.wake()
}

func (t *streamSink) run() {
	var batch []byte // swapped with queue: two buffers, no allocation once they have grown
	for range t.wakeup {
		t.mu.Lock()
		batch, t.queue = t.queue, batch[:0]
		t.rest = batch
		for len(t.rest) > 0 && !t.closed {
			n := piece(t.rest)
			now := t.rest[:n]
			t.mu.Unlock()
			t.writePiece(now)
			t.mu.Lock()
			t.rest = t.rest[n:]
		}
		closed := t.closed
		t.mu.Unlock()
		if closed {
			return
		}
	}
}

// piece is how much of b to write at once: as many whole lines as a pipe takes in one piece, but at least one line.
func piece(b []byte) int {
	if len(b) <= pipeBuf {
		return len(b)
	}
	if n := bytes.LastIndexByte(b[:pipeBuf], '\n'); n >= 0 {
		return n + 1
	}
	return bytes.IndexByte(b, '\n') + 1
}

// writePiece writes all of b, however long that takes. It does not use an os.File: a broken pipe at descriptor 1 or 2
// would end the process there, and a balancer does not die because nobody reads its log.
func (t *streamSink) writePiece(b []byte) {
	for len(b) > 0 {
		n, err := syscall.Write(t.fd, b)
		switch {
		case err == nil:
			b = b[n:]
		case err == syscall.EINTR:
		case err == syscall.EAGAIN: // whoever gave us the descriptor made it non-blocking
			time.Sleep(10 * time.Millisecond)
		default:
			t.shipper.drop(DropTargetGone, bytes.Count(b, newline))
			return
		}
	}
}
