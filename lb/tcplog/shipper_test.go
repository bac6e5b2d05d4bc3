package tcplog

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const patience = 5 * time.Second // for what happens at once unless it is broken

func listenUDP(t testing.TB) (*net.UDPConn, string) {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetReadBuffer(4 << 20)
	return c, c.LocalAddr().String()
}

func listenUnix(t testing.TB, path string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func receive(t testing.TB, c net.Conn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 70000)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func newShipper(t testing.TB, loops int, o ShipperOptions) *Shipper {
	s := NewShipper(loops, o)
	t.Cleanup(func() {
		if !s.closed.Load() {
			s.Close(patience)
		}
	})
	return s
}

func newLogger(t testing.TB, s *Shipper, o LoggerOptions) *Logger {
	t.Helper()
	l, err := s.Logger(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// What HAProxy 2.6.12 sent to a UDP socket for each format, without and with "log-send-hostname myhost".
func TestHeaders(t *testing.T) {
	const (
		old = `[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d `
		new = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+05:30 `
	)
	for _, c := range []struct{ format, host, want string }{
		{"", "", `<134>` + old + `haproxy\[42\]: `},
		{"", "myhost", `<134>` + old + `myhost haproxy\[42\]: `},
		{"local", "myhost", `<134>` + old + `haproxy\[42\]: `},
		{"rfc3164", "", `<134>` + old + `localhost haproxy\[42\]: `},
		{"rfc3164", "myhost", `<134>` + old + `myhost haproxy\[42\]: `},
		{"rfc5424", "", `<134>1 ` + new + `- haproxy 42 - - `},
		{"rfc5424", "myhost", `<134>1 ` + new + `myhost haproxy 42 - - `},
		{"priority", "myhost", `<134>`},
		{"short", "myhost", `<6>`},
		{"timed", "myhost", `<6>` + new},
		{"iso", "myhost", new},
		{"raw", "myhost", ``},
	} {
		conn, address := listenUDP(t)
		s := newShipper(t, 1, ShipperOptions{})
		l := newLogger(t, s, LoggerOptions{Tag: "haproxy", PID: 42, Hostname: c.host,
			Targets: []Target{{Network: "udp", Address: address, Format: c.format, Facility: "local0"}}})
		r := full()
		l.Flow(0, Info, TCP, &r)
		want := "^" + c.want + regexp.QuoteMeta(string(TCP.Append(nil, &r))) + "\n$"
		if got := receive(t, conn); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s:\ngot  %q\nwant %s", c.format, got, want)
		}
	}
}

func TestHeaderDates(t *testing.T) {
	var d headerDates
	d.update(time.Date(2026, 2, 3, 19, 5, 6, 7000, time.UTC))
	if got := string(d.syslog[:]) + "|" + string(d.appendISO(nil)); got != "Feb  4 00:35:06 |2026-02-04T00:35:06.000007+05:30" {
		t.Error(got)
	}
}

func TestLevels(t *testing.T) {
	conn, address := listenUDP(t)
	s := newShipper(t, 1, ShipperOptions{})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{
		{Network: "udp", Address: address, Format: "priority", Facility: "local1", Level: "notice", MinLevel: "warning"}}})
	if l.Wants(Info) || !l.Wants(Notice) || (*Logger)(nil).Wants(Emergency) {
		t.Error("Wants does not follow the target's level")
	}
	l.Message(Info, "too verbose")
	l.Message(Notice, "as it is\n\ttwo")
	l.Message(Emergency, "capped")
	if a, b := receive(t, conn), receive(t, conn); a != "<141>as it is#0A\ttwo\n" || b != "<140>capped\n" {
		t.Errorf("%q %q", a, b)
	}
}

func TestLengthAndSamples(t *testing.T) {
	conn, address := listenUDP(t)
	s := newShipper(t, 1, ShipperOptions{})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "udp", Address: address, Format: "raw", Length: 80,
		SampleRanges: [][2]int{{1, 1}, {3, 4}}, SampleSize: 5}}})
	var got []string
	for i := 1; i <= 10; i++ {
		l.Message(Info, fmt.Sprint(i, strings.Repeat(".", 100)))
	}
	for range 6 {
		line := receive(t, conn)
		if len(line) != 81 || line[80] != '\n' {
			t.Errorf("%d bytes: %q", len(line), line)
		}
		got = append(got, strings.TrimRight(line, ".\n"))
	}
	if fmt.Sprint(got) != "[1 3 4 6 8 9]" {
		t.Error(got)
	}
}

func TestUnixSocketComesAndGoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := newShipper(t, 1, ShipperOptions{Pause: time.Millisecond})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "unixgram", Address: path, Format: "raw"}}})
	l.Message(Info, "nobody there")
	if !s.Flush(patience) || s.DroppedFor(DropTargetGone) != 1 || s.Dropped() != 1 {
		t.Fatalf("%d lines counted", s.Dropped())
	}
	first := listenUnix(t, path)
	time.Sleep(2 * time.Millisecond) // the pause before it is tried again
	l.Message(Info, "one")
	// The telling of the line that was lost before may come first, or later.
	if got := receive(t, first); got != "one\n" && got != "1 log lines dropped\n" {
		t.Errorf("%q", got)
	}
	s.Flush(patience)
	first.Close()
	os.Remove(path)
	second := listenUnix(t, path) // a restarted syslogd: the old connection is refused now
	l.Message(Info, "two")
	for {
		if got := receive(t, second); got == "two\n" {
			break
		} else if !strings.HasSuffix(got, "dropped\n") {
			t.Fatalf("%q", got)
		}
	}
	if s.Dropped() != 1 {
		t.Errorf("%d lines lost by the restart", s.Dropped()-1)
	}
}

// A syslogd that does not read: its queue fills, and nobody waits for it. Once it reads, it hears what it missed.
func TestFullUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	conn := listenUnix(t, path)
	s := newShipper(t, 1, ShipperOptions{Pause: time.Millisecond})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "unixgram", Address: path, Format: "raw"}}})
	sent := uint64(0)
	for s.DroppedFor(DropTargetBusy) == 0 { // net.unix.max_dgram_qlen: 10 or more
		l.Message(Info, strings.Repeat("x", 500))
		if sent++; sent%10 == 0 && !s.Flush(patience) {
			t.Fatal("the shipper waited")
		}
		if sent > 10000 {
			t.Fatal("nothing was dropped")
		}
	}
	s.Flush(patience)
	lost := s.Dropped()
	received, told := uint64(0), uint64(0)
	for received+lost < sent || told < lost {
		line, n := receive(t, conn), uint64(0)
		if k, _ := fmt.Sscanf(line, "%d log lines dropped", &n); k == 1 {
			told += n
		} else if received++; received+lost == sent && told < lost { // the queue is empty: what comes now tells
			time.Sleep(2 * time.Millisecond)
			l.Message(Info, "once more")
			sent++
		}
	}
	if received+lost != sent || told != lost {
		t.Errorf("%d sent, %d received, %d lost, %d told", sent, received, lost, told)
	}
}

func newPipe(t testing.TB) (read *os.File, write int) {
	t.Helper()
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(p[1]) })
	read = os.NewFile(uintptr(p[0]), "pipe")
	t.Cleanup(func() { read.Close() })
	return read, p[1]
}

func TestPipe(t *testing.T) {
	read, write := newPipe(t)
	s := newShipper(t, 1, ShipperOptions{})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "fd", FD: write, Format: "raw", Length: 80}}})
	l.Message(Info, "one")
	l.Message(Info, strings.Repeat("2", 100))
	lines := bufio.NewReader(read)
	one, _ := lines.ReadString('\n')
	two, _ := lines.ReadString('\n')
	if one != "one\n" || two != strings.Repeat("2", 79)+"\n" {
		t.Errorf("%q %q", one, two)
	}
}

// A pipe that nobody reads blocks neither the loops nor the other targets; once it is read again, what had room comes.
func TestBlockedPipe(t *testing.T) {
	read, write := newPipe(t)
	conn, address := listenUDP(t)
	s := newShipper(t, 1, ShipperOptions{})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{
		{Network: "fd", FD: write, Format: "raw"}, {Network: "udp", Address: address, Format: "raw"}}})
	text := strings.Repeat("p", 999)
	sent := 0
	for s.DroppedFor(DropTargetBusy) == 0 { // the pipe's own 64 KiB, then the queue's 256
		l.Message(Info, text)
		sent++
		if got := receive(t, conn); got != text+"\n" {
			t.Fatalf("%q", got)
		}
		if sent > 1000 {
			t.Fatal("nothing was dropped")
		}
	}
	if s.Flush(20 * time.Millisecond) {
		t.Error("flushed into a pipe that is full")
	}
	lost := s.Dropped()
	lines := bufio.NewScanner(read)
	for range uint64(sent) - lost {
		if !lines.Scan() || lines.Text() != text {
			t.Fatalf("%q", lines.Text())
		}
	}
	if !s.Flush(patience) {
		t.Error("not flushed although the pipe is read")
	}
}

func TestCloseGivesUpOnABlockedPipe(t *testing.T) {
	read, write := newPipe(t)
	s := newShipper(t, 1, ShipperOptions{})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "fd", FD: write, Format: "raw"}}})
	for range 200 {
		l.Message(Info, strings.Repeat("p", 999))
	}
	if s.Close(20 * time.Millisecond) {
		t.Error("closed as if all were written")
	}
	if s.DroppedFor(DropClosed) == 0 {
		t.Error("what was left is not counted")
	}
	before := s.Dropped()
	l.Message(Info, "late")
	if s.Dropped() != before+1 {
		t.Error("a line after Close is not counted")
	}
	go io.Copy(io.Discard, read) // let the writer end
}

func TestBrokenPipeDoesNotEndTheProcess(t *testing.T) {
	read, write := newPipe(t)
	read.Close()
	s := newShipper(t, 1, ShipperOptions{})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "fd", FD: write, Format: "raw"}}})
	l.Message(Info, "nobody will read this")
	if !s.Flush(patience) || s.DroppedFor(DropTargetGone) != 1 {
		t.Errorf("%d counted", s.Dropped())
	}
}

// Four loops and a goroutine log at once: each line arrives once, whole, in its loop's order, or is counted.
func TestFourLoops(t *testing.T) {
	const loops, lines = 4, 3000
	conn, address := listenUDP(t)
	s := newShipper(t, loops, ShipperOptions{RingLines: 4096, RingBytes: 1 << 20})
	f := mustParse("%f %rt")
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "udp", Address: address, Format: "raw"}}})
	read, write := newPipe(t)
	piped := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "fd", FD: write, Format: "raw"}}})
	var wait sync.WaitGroup
	for loop := range loops {
		wait.Go(func() {
			r := Record{Frontend: fmt.Sprint("loop", loop)}
			for i := range lines {
				r.Counter = uint32(i)
				piped.Flow(loop, Info, f, &r)
				if i%50 == 0 {
					l.Flow(loop, Info, f, &r)
				}
			}
		})
	}
	wait.Go(func() {
		for range 100 {
			l.Message(Info, "message")
		}
	})
	next := [loops]int{}
	got, lost := 0, uint64(0)
	scanner := bufio.NewScanner(read)
	for got+int(lost) < loops*lines && scanner.Scan() {
		var loop, i int
		if n, _ := fmt.Sscanf(scanner.Text(), "%d log lines dropped", &i); n == 1 {
			lost += uint64(i)
			continue
		}
		if _, err := fmt.Sscanf(scanner.Text(), "loop%d %d", &loop, &i); err != nil {
			t.Fatalf("%q: %v", scanner.Text(), err)
		}
		if i < next[loop] {
			t.Fatalf("loop %d: line %d after %d", loop, i, next[loop]-1)
		}
		next[loop] = i + 1
		got++
	}
	wait.Wait()
	s.Flush(patience)
	if uint64(got)+piped.dropped.Load() != loops*lines {
		t.Errorf("%d lines arrived and %d were counted as dropped, of %d", got, piped.dropped.Load(), loops*lines)
	}
	for range 100 + loops*lines/50 - int(l.dropped.Load()) {
		receive(t, conn)
	}
}

// A ring too small for what is logged while the shipper rests: the rest is counted and told, once.
func TestRingOverflowIsTold(t *testing.T) {
	conn, address := listenUDP(t)
	s := newShipper(t, 1, ShipperOptions{RingLines: 8, Interval: 50 * time.Millisecond})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "udp", Address: address, Format: "short", Facility: "daemon"}}})
	r := full()
	f := mustParse("flow")
	l.Flow(0, Info, f, &r)
	receive(t, conn) // now the shipper rests
	for range 108 {
		l.Flow(0, Info, f, &r)
	}
	flows, lost := 0, 0
	for flows+lost < 108 {
		line := receive(t, conn)
		n := 0
		if line == "<6>flow\n" {
			flows++
		} else if k, _ := fmt.Sscanf(line, "<4>%d log lines dropped", &n); k == 1 && n > 0 {
			lost += n
		} else {
			t.Fatalf("%q", line)
		}
	}
	if flows+lost != 108 || uint64(lost) != s.DroppedFor(DropRingFull) {
		t.Errorf("%d flows, %d told, %d counted", flows, lost, s.DroppedFor(DropRingFull))
	}
}

func TestFlowAllocatesNothing(t *testing.T) {
	_, address := listenUDP(t)
	read, write := newPipe(t)
	go io.Copy(io.Discard, read)
	s := newShipper(t, 1, ShipperOptions{})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{
		{Network: "udp", Address: address, Facility: "local0"}, {Network: "fd", FD: write, Format: "iso"}}})
	r := full()
	for range 4000 { // buffers grow
		l.Flow(0, Info, TCP, &r)
	}
	s.Flush(patience)
	// All goroutines' allocations count: the shipper's too.
	if n := testing.AllocsPerRun(2000, func() { l.Flow(0, Info, TCP, &r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLoggerErrors(t *testing.T) {
	s := newShipper(t, 1, ShipperOptions{})
	for _, c := range []struct {
		target Target
		want   string
	}{
		{Target{Network: "tcp", Facility: "local0"}, "unknown log network 'tcp'"},
		{Target{Network: "udp", Address: "127.0.0.1", Facility: "local0"}, "log address '127.0.0.1'"},
		{Target{Network: "unixgram", Facility: "local0"}, "without a path"},
		{Target{Network: "fd", FD: -1, Facility: "local0"}, "negative"},
		{Target{Network: "stdout"}, "unknown log facility ''"},
		{Target{Network: "stdout", Facility: "local8"}, "unknown log facility 'local8'"},
		{Target{Network: "stdout", Format: "json"}, "unknown log format 'json'"},
		{Target{Network: "stdout", Format: "raw", Level: "error"}, "unknown log level 'error'"},
		{Target{Network: "stdout", Format: "raw", MinLevel: "x"}, "unknown log level 'x'"},
		{Target{Network: "stdout", Format: "raw", Length: 79}, "log length 79"},
		{Target{Network: "stdout", Format: "raw", SampleSize: 2, SampleRanges: [][2]int{{1, 3}}}, "range 1-3"},
	} {
		if _, err := s.Logger(LoggerOptions{Targets: []Target{c.target}}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.target, err)
		}
	}
}

// An idle shipper sleeps: it has no timer and is woken by the next line.
func TestIdleSleeps(t *testing.T) {
	conn, address := listenUDP(t)
	s := newShipper(t, 1, ShipperOptions{Interval: time.Millisecond})
	l := newLogger(t, s, LoggerOptions{Targets: []Target{{Network: "udp", Address: address, Format: "raw"}}})
	for range 20 {
		l.Message(Info, "line")
		receive(t, conn)
		for end := time.Now().Add(patience); !s.asleep.Load(); time.Sleep(100 * time.Microsecond) {
			if time.Now().After(end) {
				t.Fatal("the shipper does not fall asleep")
			}
		}
	}
}

// The cost to the loop. The shipper catches up outside the measured time: no machine sends a million datagrams a second.
func BenchmarkFlow(b *testing.B) {
	conn, address := listenUDP(b)
	go io.Copy(io.Discard, conn)
	s := newShipper(b, 1, ShipperOptions{})
	l := newLogger(b, s, LoggerOptions{Targets: []Target{{Network: "udp", Address: address, Facility: "local0"}}})
	r := full()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%1500 == 0 {
			b.StopTimer()
			s.Flush(patience)
			b.StartTimer()
		}
		l.Flow(0, Info, TCP, &r)
	}
	b.ReportMetric(float64(s.Dropped())/float64(b.N), "dropped/op")
}
