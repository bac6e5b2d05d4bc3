package tcplog

// Format is a parsed log-format. It is immutable: all loops share it.
type Format struct{}

// The built-in formats.
var (
	TCP     *Format = &Format{} // "option tcplog", manual 8.2.2
	Default *Format = &Format{} // without "option tcplog": "Connect from ...", manual 8.2.1
	Error   *Format = &Format{} // a connection that failed before it was a flow, manual 8.2.5
)

// ParseFormat reads a log-format string. An error says at which byte (from 1) and what.
func ParseFormat(s string) (*Format, error) { return &Format{}, nil }

// Append appends r's line, without a line feed, and returns the extended slice.
func (f *Format) Append(dst []byte, r *Record) []byte { return dst }
