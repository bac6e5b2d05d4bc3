package tcplog

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Logger is a proxy's (or the process's) list of targets with its tag. Its fields never change after Shipper.Logger, but
// for the targets' own counters, which belong to the shipper's goroutine.
type Logger struct {
	shipper *Shipper
	targets []*target
	verbose Level // the most verbose level that any target takes
	json    bool
	proxy   string

	dropped atomic.Uint64 // lines lost: the loops and the shipper count, the shipper tells
	told    uint64        // of dropped; the shipper's goroutine only
}

// LoggerOptions describe a Logger.
type LoggerOptions struct {
	Targets  []Target
	Tag      string // log-tag; empty: "sluice"
	Hostname string // log-send-hostname; empty: "localhost" in rfc3164, "-" in rfc5424
	PID      int    // 0: this process's
	// JSON: messages are objects too, and a line that is too long for a target is lost rather than cut.
	JSON  bool
	Proxy string // whose messages these are, in JSON; empty: the process's
}

// Logger makes a logger. Errors: an unknown word in a target, an address that cannot be resolved. A unix socket that is
// not there is no error: it is tried again, once a second while there is something to log.
func (s *Shipper) Logger(o LoggerOptions) (*Logger, error) {
	l := &Logger{shipper: s, json: o.JSON, proxy: o.Proxy}
	if o.Tag == "" {
		o.Tag = "sluice"
	}
	if o.PID == 0 {
		o.PID = os.Getpid()
	}
	for i, t := range o.Targets {
		if buffer := s.bufferOf(t); buffer != nil && buffer.options.Format != "" {
			t.Format = buffer.options.Format
		}
		made, err := newTarget(t, o.Tag, o.Hostname, o.PID)
		if err != nil {
			return nil, fmt.Errorf("log target %d: %w", i+1, err)
		}
		if made.sink, err = s.sink(t); err != nil {
			return nil, fmt.Errorf("log target %d: %w", i+1, err)
		}
		switch k := made.sink.(type) {
		case *streamSink:
			made.limit-- // its line feed counts
		case *Buffer:
			made.limit = min(made.limit, k.options.MaxLine)
		}
		l.targets = append(l.targets, made)
		l.verbose = max(l.verbose, made.verbose)
	}
	s.mu.Lock()
	s.loggers = append(s.loggers, l)
	s.mu.Unlock()
	return l, nil
}

// Wants says whether any target takes lines of this level: what nobody reads need not be gathered.
func (l *Logger) Wants(level Level) bool {
	return l != nil && len(l.targets) > 0 && level <= l.verbose
}

// Flow logs one flow. Only loop's own goroutine may call it. It never blocks; in steady state it allocates nothing and
// makes no system call but, at most once in an interval of the shipper, the one that wakes it. A nil *Logger does nothing.
func (l *Logger) Flow(loop int, level Level, f *Format, r *Record) {
	if !l.Wants(level) {
		return
	}
	p := &l.shipper.producers[loop]
	p.text = f.append(p.text[:0], r, &p.scratch)
	l.submit(p.ring, level, p.text)
}

// Message logs one message of the process, such as "Server bk/s1 is DOWN". Any goroutine may call it; control
// characters become #XX (manual 8.6), or what JSON has for them, so that a message is one line. A nil *Logger does nothing.
func (l *Logger) Message(level Level, text string) {
	if !l.Wants(level) {
		return
	}
	p := &l.shipper.messages
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.json {
		p.text = appendJSONMessage(p.text[:0], time.Now(), level, l.proxy, text)
	} else {
		p.text = appendEncoded(p.text[:0], text)
	}
	l.submit(p.ring, level, p.text)
}

func (l *Logger) submit(r *ring, level Level, text []byte) {
	s := l.shipper
	switch {
	case s.closed.Load():
		l.drop(DropClosed)
	case l.json && len(text) > maxLine:
		l.drop(DropTooLong)
	case !r.push(l, level, text[:min(len(text), maxLine)]):
		l.drop(DropRingFull)
	}
	s.wake() // also after a drop: the shipper has to tell it
}

func (l *Logger) drop(reason DropReason) {
	l.dropped.Add(1)
	l.shipper.drop(reason, 1)
}
