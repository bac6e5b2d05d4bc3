package tcplog

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// BufferOptions describe a Buffer: a "ring" section.
type BufferOptions struct {
	Name        string
	Description string // empty: Name
	Format      string // as Target.Format, which it goes before; empty: the target's
	MaxLine     int    // the longest line in bytes, with its header; 0: as much as there is room for
	Size        int    // bytes, at least 1024; 0: 16384
	BackingFile string // empty: memory only

	ConnectTimeout, WriteTimeout time.Duration // of Servers; 0: none
	Servers                      []BufferServer
	Tell                         func(text string) // is told what becomes of the servers; it must not block. nil: nobody
}

// BufferServer is a log server that gets the lines of a buffer over a stream.
type BufferServer struct {
	Name             string
	Network, Address string // as net.Dial has them
	OctetCounting    bool   // each line after its length (RFC 6587, 3.4.1); otherwise with a line feed behind it (3.4.2)
}

// Buffer keeps the latest lines of the targets that name it. A new line takes the place of as many old ones as it needs:
// nobody who reads can hold it up, and whoever is too slow loses the oldest lines.
type Buffer struct {
	options BufferOptions
	shipper *Shipper
	dropped atomic.Uint64
	servers []*forwarder

	// mu is held for no longer than it takes to copy some lines. The shipper's goroutine writes; whoever follows reads.
	mu      sync.Mutex
	file    *backing // nil: memory only
	bytes   []byte   // a ring of lines, each with its line feed
	head    uint64   // where the next line goes, counted from the beginning of time
	tail    uint64   // where the oldest line is
	written uint64   // lines since then
	first   uint64   // number of the oldest one, from 0
	changed chan struct{}
}

// smallestBuffer is the least size in bytes.
const smallestBuffer = 1024

// Buffer makes a buffer and connects to its servers. Targets of the network "ring" find it by its name; make it before their
// loggers. Errors: an unknown format, a backing file that cannot be made.
func (s *Shipper) Buffer(o BufferOptions) (*Buffer, error) {
	if o.Size == 0 {
		o.Size = 16384
	}
	if o.Size < smallestBuffer {
		return nil, fmt.Errorf("the size %d is below %d", o.Size, smallestBuffer)
	}
	if o.Description == "" {
		o.Description = o.Name
	}
	if o.Format != "" {
		if _, err := lookup("format", o.Format, headerNames); err != nil {
			return nil, err
		}
	}
	b := &Buffer{options: o, shipper: s}
	if o.BackingFile != "" {
		file, err := newBacking(o.BackingFile, o.Size)
		if err != nil {
			return nil, err
		}
		b.file, b.bytes = file, file.lines
	} else {
		b.bytes = make([]byte, o.Size)
	}
	if b.options.MaxLine == 0 || b.options.MaxLine >= len(b.bytes) {
		b.options.MaxLine = len(b.bytes) - 1
	}
	for _, server := range o.Servers {
		b.servers = append(b.servers, newForwarder(b, server))
	}
	s.mu.Lock()
	s.sinks[bufferKey(o.Name)] = b
	s.mu.Unlock()
	return b, nil
}

func bufferKey(name string) string { return "ring:" + name }

// bufferOf finds the buffer that a target names; nil: it names none that is there.
func (s *Shipper) bufferOf(t Target) *Buffer {
	if t.Network != "ring" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, _ := s.sinks[bufferKey(t.Address)].(*Buffer)
	return b
}

// Name is the name of the section.
func (b *Buffer) Name() string { return b.options.Name }

// Description is the text of the section, or else its name.
func (b *Buffer) Description() string { return b.options.Description }

// Dropped counts the lines that a server did not get, because it was slower than they came.
func (b *Buffer) Dropped() uint64 { return b.dropped.Load() }

func (b *Buffer) write(line []byte) (DropReason, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := uint64(len(b.bytes))
	for b.head+uint64(len(line))-b.tail > size {
		b.tail = b.end(b.tail)
		b.first++
	}
	at := b.head % size
	n := copy(b.bytes[at:], line)
	copy(b.bytes, line[n:])
	b.head += uint64(len(line))
	b.written++
	if b.file != nil {
		b.file.mark(b.tail%size, b.head%size)
	}
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
	return 0, true
}

// end is where the line that begins at a place ends. There is one.
func (b *Buffer) end(at uint64) uint64 {
	size := uint64(len(b.bytes))
	i := at % size
	if n := bytes.IndexByte(b.bytes[i:], '\n'); n >= 0 {
		return at + uint64(n) + 1
	}
	return at + size - i + uint64(bytes.IndexByte(b.bytes, '\n')) + 1
}

// idle: what a server that cannot be reached has not got is not waited for.
func (b *Buffer) idle() bool {
	for _, f := range b.servers {
		if !f.idle() {
			return false
		}
	}
	return true
}

func (b *Buffer) close() {
	for _, f := range b.servers {
		f.close()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file != nil {
		b.file.close()
		b.file, b.bytes, b.head, b.tail = nil, make([]byte, smallestBuffer), 0, 0
	}
}

// Follower reads a buffer's lines in order. It belongs to one goroutine.
type Follower struct {
	buffer *Buffer
	at     uint64 // as Buffer.head
	number uint64 // of the line there
}

// Follow begins with the oldest line, or with the next one to come.
func (b *Buffer) Follow(fromEnd bool) *Follower {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fromEnd {
		return &Follower{b, b.head, b.written}
	}
	return &Follower{b, b.tail, b.first}
}

// Read appends the next lines, with their line feeds, as many as fit within cap(p) but one at least if there is any. lost is
// how many were overwritten since the last call before they were read.
func (f *Follower) Read(p []byte) (lines []byte, lost uint64) {
	b := f.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.number < b.first {
		lost = b.first - f.number
		f.at, f.number = b.tail, b.first
	}
	for f.at < b.head {
		end := b.end(f.at)
		if n := int(end - f.at); len(p) > 0 && len(p)+n > cap(p) {
			break
		}
		size := uint64(len(b.bytes))
		if from, to := f.at%size, end%size; from < to {
			p = append(p, b.bytes[from:to]...)
		} else {
			p = append(append(p, b.bytes[from:]...), b.bytes[:to]...)
		}
		f.at = end
		f.number++
	}
	return p, lost
}

// Changed gives a channel that is closed once there is a line to read.
func (f *Follower) Changed() <-chan struct{} {
	b := f.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.at < b.head {
		return alreadyClosed
	}
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

var alreadyClosed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// left is how many lines are still to be read.
func (f *Follower) left() uint64 {
	f.buffer.mu.Lock()
	defer f.buffer.mu.Unlock()
	return f.buffer.written - f.number
}
