package tcplog

// Format is a parsed log-format: pieces of text, spaces and variables, in order. It is immutable, so all loops share it.
type Format struct {
	parts []part
}

// part is one piece. Which of the three it is, variable says.
type part struct {
	variable variable
	flags    flags
	text     string // of a literal
}

// flags change how a variable is written.
type flags uint8

const (
	quoted  flags = 1 << iota // Q: strings in double quotes
	hex                       // X: addresses, ports and some numbers in hexadecimal
	escaped                   // E: a backslash before '"', '\' and ']' in strings
)

// The built-in formats. Each was compared with what HAProxy 2.6.12 writes.
var (
	// TCP is the line of "option tcplog", manual 8.2.2.
	TCP = mustParse("%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq")
	// Default is the line without "option tcplog", manual 8.2.1. It is written when a flow begins.
	Default = &Format{parts: []part{{variable: connectLine}}}
	// Error is the line of a connection that failed before it became a flow, manual 8.2.5. It shows Record.Error.
	Error = &Format{parts: []part{{variable: errorLine}}}
)

func mustParse(s string) *Format {
	f, err := ParseFormat(s)
	if err != nil {
		panic(err) // the texts above are tested
	}
	return f
}

// Append appends r's line, without a line feed, and returns the extended slice. It allocates only where dst must grow.
// Any goroutine may call it.
func (f *Format) Append(dst []byte, r *Record) []byte {
	var clock clockText
	return f.append(dst, r, &clock)
}

// append is Append with the texts of a second that the caller keeps: most flows of a loop were accepted in the same one.
func (f *Format) append(dst []byte, r *Record, clock *clockText) []byte {
	start := len(dst)
	for i := range f.parts {
		p := &f.parts[i]
		switch p.variable {
		case literal:
			dst = append(dst, p.text...)
		case space:
			// Spaces merge, also around a variable that turns out to be empty, and none begins the line.
			if len(dst) > start && dst[len(dst)-1] != ' ' {
				dst = append(dst, ' ')
			}
		default:
			dst = appendVariable(dst, p, r, clock)
		}
	}
	return dst
}
