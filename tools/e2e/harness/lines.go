package harness

import (
	"bufio"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience is how long a test waits for what should happen at once. It is long because the machine may be busy; nothing
// that works ever waits for it.
const Patience = 10 * time.Second

// Lines collects lines from one writer for many readers.
type Lines struct {
	mu    sync.Mutex
	lines []string
	grown chan struct{} // closed and replaced at each line
	next  int           // first line that Next has not returned
}

// NewLines is for a test that reads on its own.
func NewLines() *Lines { return &Lines{grown: make(chan struct{})} }

// Add appends a line and wakes whoever waits.
func (l *Lines) Add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
	close(l.grown)
	l.grown = make(chan struct{})
}

// read adds every line of r until it ends.
func (l *Lines) read(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			l.Add(strings.TrimSuffix(line, "\n"))
		}
		if err != nil {
			return
		}
	}
}

// All returns what has come so far.
func (l *Lines) All() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.lines...)
}

// Text is All as one string.
func (l *Lines) Text() string { return strings.Join(l.All(), "\n") }

// Count tells how many lines so far contain text.
func (l *Lines) Count(text string) int {
	count := 0
	for _, line := range l.All() {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}

// WaitFor returns the first line, old or new, that match accepts, and fails the test if none comes.
func (l *Lines) WaitFor(t testing.TB, what string, match func(string) bool) string {
	t.Helper()
	deadline := time.After(Patience)
	for from := 0; ; {
		l.mu.Lock()
		lines, grown := l.lines[from:], l.grown
		l.mu.Unlock()
		for _, line := range lines {
			if match(line) {
				return line
			}
		}
		from += len(lines)
		select {
		case <-grown:
		case <-deadline:
			t.Fatalf("no line with %s came; these did:\n%s", what, l.Text())
		}
	}
}

// WaitText is WaitFor with a piece of the line.
func (l *Lines) WaitText(t testing.TB, text string) string {
	t.Helper()
	return l.WaitFor(t, "'"+text+"'", func(line string) bool { return strings.Contains(line, text) })
}

// Next returns each line once, in order, and fails the test if no further one comes.
func (l *Lines) Next(t testing.TB) string {
	t.Helper()
	deadline := time.After(Patience)
	for {
		l.mu.Lock()
		grown := l.grown
		if l.next < len(l.lines) {
			line := l.lines[l.next]
			l.next++
			l.mu.Unlock()
			return line
		}
		l.mu.Unlock()
		select {
		case <-grown:
		case <-deadline:
			t.Fatalf("no further line came after:\n%s", l.Text())
		}
	}
}
