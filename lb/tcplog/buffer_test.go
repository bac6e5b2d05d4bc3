package tcplog

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// buffered is a buffer with a logger before it. It ends with the test.
func buffered(t *testing.T, o BufferOptions, target Target) (*Shipper, *Buffer, *Logger) {
	t.Helper()
	s := NewShipper(1, ShipperOptions{Interval: time.Millisecond, Pause: time.Millisecond})
	o.Name = "r"
	b, err := s.Buffer(o)
	if err != nil {
		t.Fatal(err)
	}
	target.Network, target.Address = "ring", "r"
	if target.Facility == "" {
		target.Facility = "local0"
	}
	l, err := s.Logger(LoggerOptions{Targets: []Target{target}, PID: 7})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !s.closed.Load() {
			s.Close(5 * time.Second)
		}
	})
	return s, b, l
}

// contents are the lines that a follower still has to read.
func contents(f *Follower) (lines []string, lost uint64) {
	for {
		text, n := f.Read(nil)
		lost += n
		if len(text) == 0 {
			return lines, lost
		}
		lines = append(lines, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")...)
	}
}

// A buffer is compared with a slice of lines, through many turns of its memory, for followers that read now and then.
func TestBufferAgainstSlice(t *testing.T) {
	b := &Buffer{bytes: make([]byte, 100)}
	var all []string
	kept := func() (n int) { // of the last lines, as many as fit
		for size := 0; n < len(all); n++ {
			if size += len(all[len(all)-1-n]) + 1; size > 100 {
				break
			}
		}
		return n
	}
	type reader struct {
		*Follower
		next int
	}
	var readers []*reader
	for i := range 2000 {
		line := fmt.Sprintf("%d %s", i, strings.Repeat("x", i*7%(95-len(strconv.Itoa(i)))))
		b.write([]byte(line + "\n"))
		all = append(all, line)
		if i%10 == 0 {
			readers = append(readers, &reader{b.Follow(false), len(all) - kept()}, &reader{b.Follow(true), len(all)})
		}
		if len(readers) > 12 {
			readers = readers[2:]
		}
		for n, r := range readers {
			if i%(n+1) != 0 {
				continue
			}
			got, lost := contents(r.Follower)
			from := max(r.next, len(all)-kept())
			if want := all[from:]; !slices.Equal(got, want) || int(lost) != from-r.next {
				t.Fatalf("after %d: got %q, %d lost, want %q, %d lost", i, got, lost, want, from-r.next)
			}
			r.next = len(all)
		}
	}
}

// Read gives whole lines within the room that it has, and one that has none of its own.
func TestFollowerPieces(t *testing.T) {
	b := &Buffer{bytes: make([]byte, 1000)}
	for _, line := range []string{"one\n", "two\n", "three is longer\n", "4\n"} {
		b.write([]byte(line))
	}
	f := b.Follow(false)
	for _, want := range []string{"one\ntwo\n", "three is longer\n", "4\n", ""} {
		if got, _ := f.Read(make([]byte, 0, 8)); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	select {
	case <-f.Changed():
		t.Error("changed without a line")
	default:
	}
	changed := f.Changed()
	b.write([]byte("5\n"))
	<-changed
	<-f.Changed()
}

func TestBufferFormats(t *testing.T) {
	for _, c := range []struct {
		buffer BufferOptions
		target Target
		want   string
	}{
		{BufferOptions{Format: "raw"}, Target{Format: "rfc5424"}, "hello"},
		{BufferOptions{Format: "short"}, Target{}, "<5>hello"},
		{BufferOptions{}, Target{Format: "priority"}, "<133>hello"},
		{BufferOptions{Format: "raw", MaxLine: 80}, Target{}, "hello"},
	} {
		s, b, l := buffered(t, c.buffer, c.target)
		l.Message(Notice, "hello")
		l.Message(Notice, strings.Repeat("y", 200))
		s.Flush(5 * time.Second)
		got, _ := contents(b.Follow(false))
		if len(got) != 2 || got[0] != c.want {
			t.Errorf("%+v: %q", c, got)
		}
		if c.buffer.MaxLine > 0 && len(got[1]) != c.buffer.MaxLine {
			t.Errorf("a line of %d bytes, want %d", len(got[1]), c.buffer.MaxLine)
		}
	}
}

func TestBufferErrors(t *testing.T) {
	s := NewShipper(1, ShipperOptions{})
	defer s.Close(0)
	for _, c := range []struct {
		o    BufferOptions
		want string
	}{
		{BufferOptions{Size: 100}, "the size 100 is below 1024"},
		{BufferOptions{Format: "xml"}, "unknown log format 'xml'"},
		{BufferOptions{BackingFile: "/none/such"}, "no such file"},
	} {
		if _, err := s.Buffer(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
	if _, err := s.Logger(LoggerOptions{Targets: []Target{{Network: "ring", Address: "none", Facility: "local0"}}}); err == nil || !strings.Contains(err.Error(), "there is no ring 'none'") {
		t.Error(err)
	}
}

// The file holds the lines, also while they come, and the one before it is kept beside it.
func TestBackingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	if err := os.WriteFile(path, []byte("of the last time"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, b, l := buffered(t, BufferOptions{Format: "raw", Size: 1024, BackingFile: path}, Target{})
	for i := range 100 {
		l.Message(Info, fmt.Sprintf("line %d of a hundred", i))
		s.Flush(5 * time.Second)
	}
	want, _ := contents(b.Follow(false))
	if last := want[len(want)-1]; last != "line 99 of a hundred" || len(want) < 40 {
		t.Fatalf("%d lines, the last is %q", len(want), last)
	}
	check := func() {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var oldest, end int
		if _, err := fmt.Sscanf(string(text), "sluice ring 1 oldest=%d end=%d\n", &oldest, &end); err != nil || len(text) != 1024 {
			t.Fatalf("%d bytes, %v: %q", len(text), err, text[:60])
		}
		ring := string(text[len(backingHead):])
		got := ""
		if oldest < end {
			got = ring[oldest:end]
		} else {
			got = ring[oldest:] + ring[:end]
		}
		if got != strings.Join(want, "\n")+"\n" {
			t.Errorf("the file has %q, the buffer %q", got, want)
		}
	}
	check()
	if info, _ := os.Stat(path); info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	s.Close(5 * time.Second)
	l.Message(Info, "too late")
	check()
	if before, _ := os.ReadFile(path + ".bak"); string(before) != "of the last time" {
		t.Errorf("the file before is %q", before)
	}
}

// lineOf reads one message in one of the framings of RFC 6587.
func lineOf(t *testing.T, r *bufio.Reader, octets bool) string {
	t.Helper()
	if !octets {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(line, "\n")
	}
	length, err := r.ReadString(' ')
	n, err2 := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil || err2 != nil {
		t.Fatal(length, err, err2)
	}
	line := make([]byte, n)
	if _, err := io.ReadFull(r, line); err != nil {
		t.Fatal(err)
	}
	return string(line)
}

// Each server gets all lines in its framing, again after it was away; the messages say so.
func TestForwarders(t *testing.T) {
	var listeners []net.Listener
	var servers []BufferServer
	for i := range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		listeners = append(listeners, listener)
		servers = append(servers, BufferServer{Name: fmt.Sprint("s", i), Network: "tcp", Address: listener.Addr().String(), OctetCounting: i == 1})
	}
	told := make(chan string, 100)
	_, b, l := buffered(t, BufferOptions{Format: "short", Servers: servers, ConnectTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		Tell: func(text string) { told <- text }}, Target{})
	for round := range 2 {
		l.Message(Notice, fmt.Sprintf("first of %d\nstill first", round))
		l.Message(Err, fmt.Sprint("second of ", round))
		for i, listener := range listeners {
			listener.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
			conn, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			r := bufio.NewReader(conn)
			for _, want := range []string{fmt.Sprintf("<5>first of %d#0Astill first", round), fmt.Sprint("<3>second of ", round)} {
				if got := lineOf(t, r, i == 1); got != want {
					t.Errorf("server %d got %q, want %q", i, got, want)
				}
			}
			conn.Close()
			if text := <-told; text != fmt.Sprintf("Ring r: log server s%d gets no lines: EOF.", i) {
				t.Error(text)
			}
		}
		for range listeners { // the second time they are back, the messages cross with the next round's
			if round == 1 {
				break
			}
			if text := <-told; !strings.HasSuffix(text, "takes lines again.") {
				t.Error(text)
			}
		}
	}
	if b.Dropped() != 0 {
		t.Errorf("%d dropped", b.Dropped())
	}
}

// A server that does not read loses the oldest lines, which are counted, and keeps nobody waiting; it goes on with what is left.
func TestForwarderThatIsSlow(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "log")) // holds less than a TCP connection
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	s, b, l := buffered(t, BufferOptions{Format: "raw", Servers: []BufferServer{{Name: "slow", Network: "unix", Address: listener.Addr().String()}}}, Target{Length: 10000})
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	sent := 0
	for begin := time.Now(); b.Dropped() == 0 && time.Since(begin) < 20*time.Second; {
		if sent < 200 { // more than sockets and buffer hold
			l.Message(Info, fmt.Sprintf("%d %s", sent, strings.Repeat("z", 8000)))
			sent++
		} else {
			io.CopyN(io.Discard, conn, 100<<10) // the forwarder sees what it lost when it can go on
		}
		for !s.messages.ring.empty() {
			time.Sleep(100 * time.Microsecond)
		}
	}
	if b.Dropped() == 0 {
		t.Fatal("nothing was lost")
	}
	if n := s.DroppedFor(DropTargetBusy); n != b.Dropped() {
		t.Errorf("%d lines are counted as lost by the shipper, %d by the buffer", n, b.Dropped())
	}
	l.Message(Info, "the end")
	r := bufio.NewReader(conn)
	for line := ""; line != "the end"; {
		line = lineOf(t, r, false)
	}
}

// What is left when the shipper ends is sent, or counted.
func TestForwarderAtTheEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewShipper(1, ShipperOptions{})
	if _, err := s.Buffer(BufferOptions{Name: "r", Servers: []BufferServer{{Name: "a", Network: "tcp", Address: listener.Addr().String(), OctetCounting: true}}}); err != nil {
		t.Fatal(err)
	}
	l, err := s.Logger(LoggerOptions{Targets: []Target{{Network: "ring", Address: "r", Format: "raw"}}})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	l.Message(Info, "one")
	if !s.Close(20*time.Second) || s.Dropped() != 0 {
		t.Errorf("%d dropped", s.Dropped())
	}
	if text, err := io.ReadAll(conn); string(text) != "3 one" || err != nil {
		t.Errorf("%q, %v", text, err)
	}

	listener.Close() // nobody listens any more
	s = NewShipper(1, ShipperOptions{})
	if _, err := s.Buffer(BufferOptions{Name: "r", Servers: []BufferServer{{Name: "a", Network: "tcp", Address: listener.Addr().String()}}}); err != nil {
		t.Fatal(err)
	}
	if l, err = s.Logger(LoggerOptions{Targets: []Target{{Network: "ring", Address: "r", Format: "raw"}}}); err != nil {
		t.Fatal(err)
	}
	l.Message(Info, "one")
	l.Message(Info, "two")
	if !s.Close(20*time.Second) || s.DroppedFor(DropClosed) != 2 {
		t.Errorf("%d are counted, want 2", s.DroppedFor(DropClosed))
	}
}

// A sent line is not sent again, one that was cut off is, from its beginning.
func TestForwarderSent(t *testing.T) {
	f := &forwarder{framed: []byte("one\ntwo\nthree\n"), ends: []int{4, 8, 14}}
	f.sent(10)
	if string(f.framed) != "three\n" || !slices.Equal(f.ends, []int{6}) || !f.sending.Load() {
		t.Errorf("%q %v", f.framed, f.ends)
	}
	f.sent(6)
	if len(f.framed) != 0 || len(f.ends) != 0 || f.sending.Load() {
		t.Errorf("%q %v", f.framed, f.ends)
	}
}

// Lines that an object would be cut in are lost and counted, not cut.
func TestJSONTooLong(t *testing.T) {
	s := NewShipper(1, ShipperOptions{Interval: time.Millisecond, Pause: time.Millisecond})
	defer s.Close(time.Second)
	b, err := s.Buffer(BufferOptions{Name: "r", Format: "raw"})
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Logger(LoggerOptions{Targets: []Target{{Network: "ring", Address: "r", Length: 200, Facility: "local0"}}, JSON: true, Proxy: `p"x`})
	if err != nil {
		t.Fatal(err)
	}
	l.Message(Alert, "Server \x01 is \"DOWN\"")
	l.Message(Alert, strings.Repeat("x", 200))
	follower := b.Follow(false)
	var lines []string
	for deadline := time.Now().Add(20 * time.Second); len(lines) < 2 && time.Now().Before(deadline); {
		more, _ := contents(follower)
		lines = append(lines, more...)
		time.Sleep(time.Millisecond)
	}
	if len(lines) != 2 || s.DroppedFor(DropTooLong) != 1 {
		t.Fatalf("%q, %d too long", lines, s.DroppedFor(DropTooLong))
	}
	for i, want := range []map[string]any{
		{"type": "message", "level": "alert", "proxy": `p"x`, "message": "Server \x01 is \"DOWN\""},
		{"type": "message", "level": "warning", "proxy": `p"x`, "message": "1 log lines dropped"},
	} {
		object := decoded(t, []byte(lines[i]))
		when, _ := object["time"].(string)
		if at, err := time.Parse("2006-01-02T15:04:05.000-07:00", when); err != nil || time.Since(at).Abs() > time.Minute {
			t.Errorf("time %q: %v", when, err)
		}
		delete(object, "time")
		if fmt.Sprint(object) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", object, want)
		}
	}
}
