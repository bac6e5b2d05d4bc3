package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// events is a ring that the test fills.
type events struct {
	mu      sync.Mutex
	lines   []string
	lost    uint64
	changed chan struct{}
}

func (e *events) add(lines ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, lines...)
	if e.changed != nil {
		close(e.changed)
		e.changed = nil
	}
}

func (e *events) follow(fromEnd bool) RingReader {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := &eventsReader{events: e}
	if fromEnd {
		f.at = len(e.lines)
	}
	return f
}

type eventsReader struct {
	*events
	at int
}

func (f *eventsReader) Read(p []byte) ([]byte, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := f.lost
	f.lost = 0
	if f.at < len(f.lines) { // one at a time
		p = append(append(p, f.lines[f.at]...), '\n')
		f.at++
	}
	return p, lost
}

func (f *eventsReader) Changed() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan struct{})
	if f.at < len(f.lines) {
		close(c)
		return c
	}
	if f.changed == nil {
		f.changed = c
	}
	return f.changed
}

func TestShowEvents(t *testing.T) {
	f := newFake(t)
	f.events.add("first", "second")
	path := listen(t, f, Options{})
	const listing = "These rings keep log lines. With a name: its lines; -w: then wait for more, up to any input; -n: new ones only.\n" +
		"    one        : type=buffer, 3 dropped, the first\n    two        : type=buffer, 0 dropped, two\n\n"
	for _, c := range []struct{ command, want string }{
		{"show events", listing},
		{"show events one", "first\nsecond\n\n"},
		{"show events two", "\n"},
		{"show events one -n", "\n"},
		{"show events three", "No such event sink\n\n"},
		{"show events one -x", "unknown option\n\n"},
		{"show events one -", "unknown option\n\n"},
		{"show events one -wx", "unknown option\n\n"},
		{"show events one wn", "unknown option\n\n"},
		{"show events one -w", "first\nsecond\n\n"}, // the client has ended
		{"show events one -wn", "\n"},
		{"show events one -n -w", "\n"},
	} {
		if got := ask(t, path(Operator), c.command+"\n"); got != c.want {
			t.Errorf("%s:\n%q, want\n%q", c.command, got, c.want)
		}
	}
	if got := ask(t, path(User), "show events\n"); got != "Permission denied\n\n" {
		t.Errorf("for a user: %q", got)
	}
	f.events.lost = 4
	if got := ask(t, path(Operator), "show events one\n"); got != "# 4 lines were overwritten before they could be shown\nfirst\nsecond\n\n" {
		t.Errorf("with lines lost: %q", got)
	}
}

// -w shows lines as they come, for longer than the connection may be idle otherwise; any input ends it, and the dialogue goes on.
func TestShowEventsWaits(t *testing.T) {
	f := newFake(t)
	f.events.add("old")
	path := listen(t, f, Options{Timeout: 300 * time.Millisecond})
	conn, err := net.Dial("unix", path(Admin))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(conn)
	enter := func(text string) {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	}
	enter("prompt\n")
	expect("\n> ")
	enter("show events one -w\n")
	expect("old\n")
	for i := range 3 {
		time.Sleep(200 * time.Millisecond) // together longer than the timeout
		line := fmt.Sprint("new ", i)
		f.events.add(line, strings.Repeat("x", 100))
		expect(line + "\n" + strings.Repeat("x", 100) + "\n")
	}
	enter("show version\n")
	expect("\n> ")
	enter("show cli level\n")
	expect("admin\n\n> ")

	enter("show events one -wn\n")
	f.events.add("maybe before")
	enter("\n")
	for text := ""; !strings.HasSuffix(text, "\n> "); {
		c, err := r.ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		text += string(c)
	}
}
