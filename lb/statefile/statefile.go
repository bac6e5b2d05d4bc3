// Package statefile reads and writes version 1 of HAProxy's server state file: what its "show servers state" prints, as the
// management guide describes it, and what either program may start from. It turns text into entries and back; it opens no
// file, and does not know what is done with them.
//
// A file is one line "1", then one line for each server with 20 to 25 fields (see the table in field.go), set apart by
// blanks. Empty lines and lines that start with a sharp are comments. Of further fields nothing is known, and they are passed over.
//
// There are two kinds of damage, told apart as HAProxy does. A file of another version, with a line that has too few
// fields, or whose last line has no end (as when a disk was full), is not used at all: the error says where. An entry with a field that has no meaning is left
// out alone, and comes with a [Problem].
package statefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Entry is the state of one server, one line of the file.
type Entry struct {
	BackendID       int
	Backend         string
	ServerID        int
	Server          string
	Address         netip.Addr // invalid: none, or not an IP address ("-")
	Operation       Operation
	Admin           Admin
	Weight          int           // as users see it, 0..256: configured or set at run time
	InitialWeight   int           // as configured
	SinceChange     time.Duration // since the server last went up or down; whole seconds
	CheckStatus     string        // of the last health check, as in "show stat": "L4OK"; "UNK" when nothing is known
	CheckResult     CheckResult   // of that check
	Health          int           // 0 to rise+fall-1, up from rise on; a file may have any number here
	Check           CheckState    // of health checks
	Agent           CheckState    // of agent checks
	BackendIDForced bool          // the backend's id stands in the configuration
	ServerIDForced  bool          // the server's does
	Name            string        // fully qualified domain name by which the server is resolved; empty: none ("-")
	Port            int           // 0: none of its own
	SRVRecord       string        // from which the server has its address; empty: none ("-")
	TLS             bool          // connections to the server are encrypted
	CheckPort       int           // 0: the server's
	CheckAddress    netip.Addr    // invalid: the server's
	AgentAddress    netip.Addr    // invalid: the server's
	AgentPort       int           // 0: none
}

// Operation is the server's health.
type Operation uint8

// The operations, with their numbers in the file.
const (
	Stopped  Operation = iota // down
	Starting                  // up, in slow start
	Running                   // up
	Stopping                  // up, no new connections (404 with disable-on-404)
)

// Admin is the administrative state: flags.
type Admin uint8

// The flags, with their bits in the file.
const (
	ForcedMaint     Admin = 1 << iota // by the operator
	InheritedMaint                    // from the tracked server
	ConfiguredMaint                   // "disabled" in the configuration
	ForcedDrain                       // by the operator
	InheritedDrain                    // from the tracked server
	ResolutionMaint                   // its name has no address
	RuntimeName                       // the operator set the name
	adminEnd
)

// AnyMaint are the flags that mean maintenance, in which a server counts as Stopped whatever its health was.
const AnyMaint = ForcedMaint | InheritedMaint | ConfiguredMaint | ResolutionMaint

// CheckResult is what the last check meant.
type CheckResult uint8

// The results, with their numbers in the file.
const (
	ResultUnknown CheckResult = iota
	ResultNeutral
	ResultFailed
	ResultPassed
	ResultConditional
)

// CheckState are flags of health or agent checks.
type CheckState uint8

// The flags, with their bits in the file.
const (
	CheckInProgress CheckState = 1 << iota
	CheckConfigured
	CheckEnabled
	CheckPaused // because of maintenance
	CheckAgent  // set in Entry.Agent only
	checkEnd
)

// Problem is an entry that was left out.
type Problem struct {
	Line            int // from 1
	Backend, Server string
	Text            string // what is wrong, such as "invalid srv_op_state value '7'"
}

func (p Problem) String() string {
	return fmt.Sprintf("line %d, server '%s/%s': %s", p.Line, p.Backend, p.Server, p.Text)
}

// Errors of Parse.
var (
	// ErrVersion: the first line is not "1".
	ErrVersion = errors.New("the first line is not the version, 1")
	// ErrTooLong: the file is longer than any that could have been written.
	ErrTooLong = errors.New("the file is too long")
)

// LineError is a line that is not one of a state file; all of the file is to be distrusted then.
type LineError struct {
	Line int // from 1
	Text string
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d %s", e.Line, e.Text) }

// Bounds of what is read, in bytes. A line's longest fields are names, of which a domain's has at most 253.
const (
	maxLine = 16 << 10
	maxFile = 64 << 20
)

// Parse reads a whole file. The error is ErrVersion, ErrTooLong, a *LineError, or the reader's; there are no entries then.
// Of several entries for one server all are given, in their order; HAProxy goes by the first.
func Parse(r io.Reader) ([]Entry, []Problem, error) {
	limited := &io.LimitedReader{R: r, N: maxFile}
	lines := bufio.NewReaderSize(limited, maxLine)
	var entries []Entry
	var problems []Problem
	for number := 1; ; number++ {
		line, err := lines.ReadSlice('\n')
		switch {
		case err == io.EOF && limited.N == 0:
			return nil, nil, ErrTooLong
		case err == io.EOF && number == 1:
			return nil, nil, ErrVersion
		case err == io.EOF && len(line) > 0:
			return nil, nil, &LineError{number, "has no end: the file was cut off"}
		case err == io.EOF:
			return entries, problems, nil
		case err == bufio.ErrBufferFull:
			return nil, nil, &LineError{number, "is too long"}
		case err != nil:
			return nil, nil, err
		case number == 1:
			if string(line) != "1\n" {
				return nil, nil, ErrVersion
			}
			continue
		}
		words := strings.Fields(string(line))
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		if len(words) < leastFields {
			return nil, nil, &LineError{number, fmt.Sprintf("has %d fields, and at least %d are needed", len(words), leastFields)}
		}
		e, wrong := parseEntry(words)
		if wrong != "" {
			problems = append(problems, Problem{number, e.Backend, e.Server, wrong})
			continue
		}
		entries = append(entries, e)
	}
}

// Write writes a whole file. The error is the writer's.
func Write(w io.Writer, entries []Entry) error { return WriteEach(w, slices.Values(entries)) }

// WriteEach is Write of entries that are made one after the other, as fast as the writer takes them. After an error no more are
// asked for.
func WriteEach(w io.Writer, entries iter.Seq[Entry]) error {
	b := bufio.NewWriter(w)
	b.WriteString("1\n#")
	for _, f := range fields {
		b.WriteByte(' ')
		b.WriteString(f.name)
	}
	b.WriteByte('\n')
	for e := range entries {
		for j, f := range fields {
			if j > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(f.format(&e))
		}
		if err := b.WriteByte('\n'); err != nil {
			return err
		}
	}
	return b.Flush()
}
