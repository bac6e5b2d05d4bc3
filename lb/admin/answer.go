package admin

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"time"
)

// severity of a message, as syslog numbers it.
type severity int

const (
	severityError   severity = 3
	severityWarning severity = 4
	severityNotice  severity = 5
	severityInfo    severity = 6
)

var severityNames = map[severity]string{severityError: "err", severityWarning: "warning", severityNotice: "notice", severityInfo: "info"}

// Output is how messages show their severity: "none", "number" or "string".
type Output string

// mark is what stands before a message.
func (o Output) mark(s severity) string {
	switch o {
	case "number":
		return fmt.Sprintf("[%d]: ", s)
	case "string":
		return "[" + severityNames[s] + "]: "
	}
	return ""
}

// answer is what a command writes. An error of writing is kept: the command may go on, and should look at it in loops. Empty
// lines are left out, since one ends an answer.
type answer struct {
	out    *bufio.Writer
	output Output
	err    error
	atLine bool // at the beginning of a line
}

func newAnswer(w io.Writer, output Output) *answer {
	return &answer{out: bufio.NewWriterSize(w, 16<<10), output: output, atLine: true}
}

// Write writes text as it is.
func (a *answer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && a.err == nil {
		line := p
		if i := bytes.IndexByte(p, '\n'); i >= 0 {
			line = p[:i+1]
		}
		p = p[len(line):]
		if a.atLine && line[0] == '\n' {
			continue
		}
		a.atLine = line[len(line)-1] == '\n'
		_, a.err = a.out.Write(line)
	}
	return n - len(p), a.err
}

func (a *answer) printf(format string, arguments ...any) { fmt.Fprintf(a, format, arguments...) }

// message writes one line with its severity.
func (a *answer) message(s severity, format string, arguments ...any) {
	a.printf("%s%s\n", a.output.mark(s), fmt.Sprintf(format, arguments...))
}

// fail tells that the command was not carried out.
func (a *answer) fail(format string, arguments ...any) {
	a.message(severityError, format, arguments...)
}

// end ends the answer with an empty line and sends what is left of it.
func (a *answer) end() error {
	if !a.atLine {
		a.Write([]byte{'\n'})
	}
	if a.err == nil {
		a.err = a.out.WriteByte('\n')
	}
	a.atLine = true
	return a.flush()
}

func (a *answer) flush() error {
	if a.err == nil {
		a.err = a.out.Flush()
	}
	return a.err
}

// patient writes to a connection and gives it a time for each piece.
type patient struct {
	net.Conn
	timeout func() time.Duration
}

func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(p.timeout())); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}
