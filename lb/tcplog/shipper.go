// Package tcplog formats one flow as a log line and ships it.
package tcplog

import "time"

// ShipperOptions are for the process; zero values mean the defaults.
type ShipperOptions struct {
	RingLines int           // lines that one loop may have waiting; 0: 2048
	RingBytes int           // and their bytes; 0: 512 KiB
	Interval  time.Duration // between two looks at the rings while lines keep coming; 0: 4 ms
}

// Shipper carries lines from the loops to the targets. One per process.
type Shipper struct{}

// Logger is a proxy's (or the process's) list of targets with its tag.
type Logger struct{}

// LoggerOptions describe a Logger.
type LoggerOptions struct {
	Targets  []Target
	Tag      string // log-tag; empty: "sluice"
	Hostname string // log-send-hostname; empty: the system's, and formats that may leave it out do
	PID      int    // 0: this process's
}

// NewShipper starts a shipper for loops 0 to loops-1.
func NewShipper(loops int, o ShipperOptions) *Shipper { return &Shipper{} }

// Logger makes a logger. Errors: an unknown word in a target, an address that cannot be resolved. A unix socket that is
// not there is no error: it is tried again.
func (s *Shipper) Logger(o LoggerOptions) (*Logger, error) { return &Logger{}, nil }

// Flow logs one flow. Only loop's own goroutine may call it. It never blocks and, in steady state, never allocates.
// A nil *Logger does nothing.
func (l *Logger) Flow(loop int, level Level, f *Format, r *Record) {}

// Message logs one message of the process. Any goroutine may call it. A nil *Logger does nothing.
func (l *Logger) Message(level Level, text string) {}

// Dropped counts the lines that were lost, all reasons together.
func (s *Shipper) Dropped() uint64 { return 0 }

// Flush waits until everything logged before it was handed to the kernel, at most for timeout. True: it was.
func (s *Shipper) Flush(timeout time.Duration) bool { return true }

// Close drains as Flush does, then ends the shipper; what is logged later is dropped.
func (s *Shipper) Close(timeout time.Duration) bool { return true }
