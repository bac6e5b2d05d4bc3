package tcplog

import "sync/atomic"

// line is one text in a ring, to be shipped for a logger.
type line struct {
	logger *Logger
	level  Level
	start  uint64 // in the ring's bytes, counted from the beginning of time
	size   int
}

// ring is a bounded queue of lines from one producer to the shipper. Lines and their bytes lie in two fixed arrays.
//
// Concurrency: head and write belong to the producer, tail and freed to the shipper; each is stored by its owner alone and
// published by an atomic store after what it announces was written, or is no longer read. So neither ever waits.
type ring struct {
	lines []line
	bytes []byte

	_     [64]byte // the producer's fields and the shipper's lie in different cache lines
	head  atomic.Uint64
	write uint64

	_     [64]byte
	tail  atomic.Uint64
	freed atomic.Uint64
	_     [64]byte
}

func newRing(lines, bytes int) *ring {
	return &ring{lines: make([]line, lines), bytes: make([]byte, bytes)}
}

// push copies text into the ring. False: it was full.
func (r *ring) push(l *Logger, level Level, text []byte) bool {
	head := r.head.Load()
	if head-r.tail.Load() == uint64(len(r.lines)) {
		return false
	}
	size, start := uint64(len(r.bytes)), r.write
	if rest := size - start%size; rest < uint64(len(text)) {
		start += rest // a text lies in one piece
	}
	end := start + uint64(len(text))
	if end-r.freed.Load() > size {
		return false
	}
	copy(r.bytes[start%size:], text)
	r.lines[head%uint64(len(r.lines))] = line{logger: l, level: level, start: start, size: len(text)}
	r.write = end
	r.head.Store(head + 1)
	return true
}

// oldest returns the oldest line and its text, both valid until release; nil if there is none.
func (r *ring) oldest() (*line, []byte) {
	tail := r.tail.Load()
	if r.head.Load() == tail {
		return nil, nil
	}
	l := &r.lines[tail%uint64(len(r.lines))]
	at := l.start % uint64(len(r.bytes))
	return l, r.bytes[at : at+uint64(l.size)]
}

// release gives the oldest line's room back.
func (r *ring) release(l *line) {
	r.freed.Store(l.start + uint64(l.size))
	r.tail.Store(r.tail.Load() + 1)
}

func (r *ring) empty() bool { return r.head.Load() == r.tail.Load() }
