package tcplog

// Format is a parsed log-format: pieces of text, spaces and variables, in order. It is immutable, so all loops share it.
type Format struct {
	parts []part
	needs needs
}

// part is one piece. Which of these it is, variable says.
type part struct {
	variable   variable
	flags      flags
	text       string      // of a literal
	expression *expression // of a sample
	inner      *Format     // of a text within JSON
}

// needs are what a format shows of a flow that costs a system call to find out.
type needs uint8

const (
	needFrontendAddr needs = 1 << iota
	needBackendSource
)

// NeedsFrontendAddr tells whether the format shows Record.FrontendAddr.
func (f *Format) NeedsFrontendAddr() bool { return f != nil && f.needs&needFrontendAddr != 0 }

// NeedsBackendSource tells whether the format shows Record.BackendSource.
func (f *Format) NeedsBackendSource() bool { return f != nil && f.needs&needBackendSource != 0 }

// add adds a piece.
func (f *Format) add(p part) {
	f.parts = append(f.parts, p)
	switch p.variable {
	case frontendIP, frontendPort, connectLine:
		f.needs |= needFrontendAddr
	case backendIP, backendPort:
		f.needs |= needBackendSource
	case sampled:
		switch p.expression.source {
		case fetchDestination, fetchDestinationPort:
			f.needs |= needFrontendAddr
		case fetchBackendSource, fetchBackendSourcePort:
			f.needs |= needBackendSource
		}
	case innerText:
		f.needs |= p.inner.needs
	}
}

// flags change how a variable is written.
type flags uint8

const (
	quoted  flags = 1 << iota // Q: strings in double quotes
	hex                       // X: addresses, ports and some numbers in hexadecimal
	escaped                   // E: a backslash before '"', '\' and ']' in strings
	asJSON                    // a value of JSON
)

// The built-in formats. Each was compared with what HAProxy 2.6.12 writes.
var (
	// TCP is the line of "option tcplog", manual 8.2.2.
	TCP = mustParse("%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq")
	// Default is the line without "option tcplog", manual 8.2.1. It is written when a flow begins.
	Default = &Format{parts: []part{{variable: connectLine}}, needs: needFrontendAddr}
	// Error is the line of a connection that failed before it became a flow, manual 8.2.5. It shows Record.Error.
	Error = &Format{parts: []part{{variable: errorLine}}}
)

func mustParse(s string) *Format {
	f, err := ParseFormat(s, nil)
	if err != nil {
		panic(err) // the texts above are tested
	}
	return f
}

// Append appends r's line, without a line feed, and returns the extended slice. It allocates only where dst must grow, and for samples.
// Any goroutine may call it.
func (f *Format) Append(dst []byte, r *Record) []byte {
	var x scratch
	return f.append(dst, r, &x)
}

// append is Append with scratch that the caller keeps: most flows of a loop were accepted in the same second.
func (f *Format) append(dst []byte, r *Record, x *scratch) []byte {
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
			if p.flags&asJSON != 0 {
				dst = appendJSONValue(dst, p, r, x)
			} else {
				dst = appendVariable(dst, p, r, x)
			}
		}
	}
	return dst
}
