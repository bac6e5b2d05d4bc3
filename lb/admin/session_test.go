package admin

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
)

// Answers to one line, as they come byte for byte.
func TestOneLine(t *testing.T) {
	f := newFake(t)
	path := listen(t, f, Options{})
	for _, test := range []struct{ level, text, want string }{
		{"admin", "show version\n", "9\n\n"},
		{"admin", "show  version \r\n", "9\n\n"},
		{"admin", "show version;show cli level\n", "9\n\nadmin\n\n"},
		{"admin", "show version\nshow cli level\n", "9\n\nadmin\n\n"},
		{"admin", "show version <<\nsomething\n\nshow version\n", "9\n\n9\n\n"},
		{"admin", "show version", ""}, // it has no end
		{"admin", "quit\n", ""},
		{"admin", "show version;quit;show version\n", "9\n\n"},
		{"admin", "", ""},
		{"operator", "show cli level;user;show cli level;operator;show cli level\n", "operator\n\n\nuser\n\n\nuser\n\n"},
		{"admin", "operator;show cli level;disable server be/s1\n", "\noperator\n\nPermission denied\n\n"},
		{"user", "show env;clear counters;set weight be/s1 3;show sess;show version\n", strings.Repeat("Permission denied\n\n", 4) + "9\n\n"},
		{"operator", "clear counters;clear counters all\n", "\nPermission denied\n\n"},
		{"admin", "set severity-output number;get weight be/none;get weight be/s1\n", "\n[3]: No such server.\n\n[6]: 10 (initial 10)\n\n"},
		{"admin", "set severity-output string;get weight be/none\n", "\n[err]: No such server.\n\n"},
		{"admin", "set severity-output loud\n", "one of 'none', 'number', 'string' is a required argument\n\n"},
		{"admin", "show env A\\;B;show version\n", "Variable not found\n\n9\n\n"},
		{"admin", strings.Repeat("x", maxLine+1) + "\n", "line too long\n\n"},
		{"admin", "show cli sockets\n", "# socket lvl processes\nunix@user user all\nunix@operator operator all\nunix@admin admin all\n\n"},
		{"admin", "show backend\n", "# name\nbe\nstatic\n\n"},
		{"admin", "show startup-logs\n", "[WARNING]  (1) : something\n\n"},
		{"admin", "prompt;show version\n", "\n> 9\n\n> "},
		{"admin", "prompt\nshow version\nprompt\n", "\n> 9\n\n> \n"},
		{"admin", "prompt\n\nquit\n", "\n> > "},
		{"admin", "prompt\nshow version <<\nx\n\nquit\n", "\n> 9\n\n> "},
	} {
		level, _ := ParseLevel(test.level)
		if got := ask(t, path(level), test.text); got != test.want {
			t.Errorf("%s: %.60q: %q, want %q", test.level, test.text, got, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	path := listen(t, newFake(t), Options{})
	everything := ask(t, path(Admin), "help\n")
	for _, c := range commands {
		if !strings.Contains(everything, "  "+c.syntax()) {
			t.Errorf("the list does not have %q", c.syntax())
		}
		if c.help == "" || c.run == nil {
			t.Errorf("%q has no explanation or does nothing", c.name)
		}
	}
	if list := ask(t, path(User), "help\n"); strings.Contains(list, "set server") || strings.Contains(list, "show sess") || !strings.Contains(list, "show stat") {
		t.Errorf("a user sees %s", list)
	}
	for _, unknown := range []string{"what", "\n", " ;", "help me"} {
		if list := ask(t, path(Admin), unknown+"\n"); !strings.Contains(list, "show stat") || !strings.Contains(list, "set server") {
			t.Errorf("%q is answered by %s", unknown, list)
		}
	}
	list := ask(t, path(Admin), "show servers what\n")
	if !strings.HasPrefix(list, "Unknown command") || !strings.Contains(list, "show servers state") || strings.Contains(list, "show info") {
		t.Errorf("show servers what: %s", list)
	}
	if list := ask(t, path(Admin), "help set m\n"); strings.Count(list, "\n") != 5 { // three commands, a title and the end
		t.Errorf("help set m: %s", list)
	}
}

// The dialogue: one prompt for each command, another one for the lines of a payload, and the end of it.
func TestDialogue(t *testing.T) {
	path := listen(t, newFake(t), Options{})
	conn, err := net.Dial("unix", path(Admin))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	expect := func(send, want string) {
		t.Helper()
		io.WriteString(conn, send)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != want {
			t.Fatalf("%q: %q, %v, want %q", send, got, err, want)
		}
	}
	expect("prompt\n", "\n> ")
	expect("show version\n", "9\n\n> ")
	expect("show version;show cli level\n", "9\n\n> admin\n\n> ")
	expect("\n", "> ")
	expect("show version <<\n", "+ ")
	expect("a line\n", "+ ")
	expect("\n", "9\n\n> ")
	expect("prompt timed\n", "\n[0d 0h00m00s]> ")
	expect("set timeout cli 1\n", "\n[0d 0h00m00s]> ")
	expect("quit\n", "")
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("after quit: %q, %v", rest, err)
	}
}

// An idle connection is closed after the time-out, and so is one whose client does not read; the others go on.
func TestTimeouts(t *testing.T) {
	f := newFake(t)
	for range 20_000 {
		f.sessions = append(f.sessions, Session{ID: uint64(len(f.sessions) + 1), Client: strings.Repeat("x", 500)})
	}
	path := listen(t, f, Options{Timeout: 200 * time.Millisecond, MaxConn: 2})
	start := time.Now()
	idle, err := net.Dial("unix", path(Admin))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	deaf, err := net.Dial("unix", path(Admin))
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	fmt.Fprintln(deaf, "show sess")
	if got := ask(t, path(Admin), "show version\n"); got != "9\n\n" { // a third one waits until one of the two is gone
		t.Errorf("%q", got)
	}
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("the third connection was served after %v although two are open", took)
	}
	idle.SetDeadline(time.Now().Add(5 * time.Second))
	if rest, err := io.ReadAll(idle); len(rest) > 0 || err != nil {
		t.Errorf("idle: %q, %v", rest, err)
	}
	time.Sleep(300 * time.Millisecond) // longer than the patience with it
	deaf.SetDeadline(time.Now().Add(5 * time.Second))
	if rest, _ := io.ReadAll(deaf); len(rest) >= 20_000*500 {
		t.Errorf("who did not read got all %d bytes", len(rest))
	}
}

// wait waits, and lets what was answered before it out first.
func TestWait(t *testing.T) {
	path := listen(t, newFake(t), Options{})
	start := time.Now()
	if got := ask(t, path(User), "show version;wait 50ms;show version\n"); got != "9\n\nDone.\n\n9\n\n" {
		t.Errorf("%q", got)
	}
	if took := time.Since(start); took < 50*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

// Close ends connections that wait, and nothing is served any more.
func TestClose(t *testing.T) {
	f := newFake(t)
	dir := t.TempDir()
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{Process: f, Timeout: time.Minute, MaxConn: 1})
	c.Listen(l, Socket{})
	c.Start()
	conn, err := net.Dial("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "prompt\n")
	r := bufio.NewReader(conn)
	lines(t, r)
	c.Close()
	c.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(r); err != nil {
		t.Errorf("after Close: %v", err)
	}
	if conn, err := net.Dial("unix", dir+"/s"); err == nil {
		conn.Close()
		t.Error("the socket is still open")
	}
}

// A command that panics costs its connection, and nobody else's; where it was is told.
func TestPanickingCommand(t *testing.T) {
	f := newFake(t)
	f.breaks = true
	told := make(chan string, 1000)
	path := listen(t, f, Options{MaxConn: 2, Failed: func(line string) { told <- line }})
	other, err := net.Dial("unix", path(Admin))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetDeadline(time.Now().Add(10 * time.Second))
	answers := bufio.NewReader(other)
	io.WriteString(other, "prompt\n")
	lines(t, answers)
	for range 5 { // more often than there are places
		if got := ask(t, path(User), "show version;show startup-logs;show version\n"); got != "9\n\n" {
			t.Errorf("answer %q", got)
		}
	}
	io.WriteString(other, "show version\n")
	if got := lines(t, answers); len(got) != 1 || got[0] != "> 9" {
		t.Errorf("the other connection got %q", got)
	}
	first, where := <-told, false
	for len(told) > 0 {
		where = strings.Contains(<-told, "StartupLogs") || where
	}
	if first != "stats socket: a command failed, and its connection is closed: broken" || !where {
		t.Errorf("told %q, the place: %v", first, where)
	}
}

// With a condition, wait ends as soon as that is met, or can no longer be; and the next command finds it so.
func TestWaitForServer(t *testing.T) {
	f := newFake(t)
	path := listen(t, f, Options{})
	be := f.proxies[2].Backend
	s := be.Servers()[0]
	r := &backend.Request{}
	if be.Admit(r) != backend.Granted {
		t.Fatal("no slot")
	}
	in := "static/" + s.Name
	for _, test := range []struct{ line, want string }{
		{"wait 5s srv-removable " + in, "Failed. Only servers in maintenance mode can be deleted.\n\n"},
		{"wait 20 srv-unused " + in, "Wait delay expired. Server still has connections attached to it, cannot remove it.\n\n"},
		{"disable server " + in + ";wait 20 srv-removable " + in, "\nWait delay expired. Server still has connections attached to it, cannot remove it.\n\n"},
	} {
		if got := ask(t, path(Admin), test.line+"\n"); got != test.want {
			t.Errorf("%s: %q, want %q", test.line, got, test.want)
		}
	}
	answer := make(chan string)
	go func() { answer <- ask(t, path(Admin), "wait 9s srv-removable "+in+";del server "+in+"\n") }()
	time.Sleep(20 * time.Millisecond) // it waits by then, or finds it so at once
	be.Release(r)
	if got := <-answer; got != "Done.\n\nServer deleted.\n\n" {
		t.Errorf("%q", got)
	}
}
