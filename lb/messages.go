package lb

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/sluice-lb/sluice/lb/config"
)

// messages writes what the process has to say about itself to standard error, in HAProxy's shape:
//
//	[ALERT]    (PID) : text
//
// Before the first warning or alert it says once which version speaks. While the process starts, quiet silences it. Its
// methods may be called from several goroutines.
type messages struct {
	mu         sync.Mutex
	out        io.Writer
	pid        int
	quiet      bool // say nothing until started
	diag       bool // show diagnostic messages
	introduced bool
	warnings   int // all that were reported, shown or not
	running    bool
	early      []string // what was said before the process ran, shown or not
}

// mostEarly bounds early.
const mostEarly = 1000

func newMessages(out io.Writer) *messages {
	return &messages{out: out, pid: os.Getpid()}
}

// report shows one complaint of the configuration.
func (m *messages) report(d config.Diagnostic) {
	m.write(d.Severity, d.Format(m.pid))
}

// say shows a message of the process itself.
func (m *messages) say(severity config.Severity, format string, arguments ...any) {
	m.write(severity, fmt.Sprintf("%-10s (%d) : %s", "["+severity.String()+"]", m.pid, fmt.Sprintf(format, arguments...)))
}

func (m *messages) write(severity config.Severity, line string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if severity == config.Diag && !m.diag {
		return
	}
	if severity == config.Warning {
		m.warnings++
	}
	if !m.running && len(m.early) < mostEarly {
		m.early = append(m.early, line)
	}
	if m.quiet {
		return
	}
	if severity >= config.Warning && !m.introduced {
		m.introduced = true
		fmt.Fprintf(m.out, "[NOTICE]   (%d) : sluice version is %s\n", m.pid, Version)
		if path, err := os.Executable(); err == nil {
			fmt.Fprintf(m.out, "[NOTICE]   (%d) : path to executable is %s\n", m.pid, path)
		}
	}
	fmt.Fprintln(m.out, line)
}

// started ends the silence of the quiet mode: what a running process says is always said.
func (m *messages) started() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiet = false
	m.introduced = true
	m.running = true
}

// startup gives what was said before started.
func (m *messages) startup() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.early)
}

// setQuiet starts or ends the silence of the quiet mode.
func (m *messages) setQuiet(quiet bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quiet = quiet
}

// warned is the number of warnings so far.
func (m *messages) warned() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.warnings
}
