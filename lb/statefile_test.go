package lb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/statefile"
)

// said collects what a balancer says.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(severity config.Severity, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, severity.String()+" "+text)
}

func (s *said) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// open builds a balancer from a text, and ends it with the test.
func open(t *testing.T, text string) (*Balancer, *said) {
	t.Helper()
	cfg, found := config.Load([]config.File{{Name: "test.cfg", Data: []byte(text)}}, config.NewEnv(nil), config.LoadOptions{})
	if cfg == nil {
		t.Fatal(found)
	}
	var s said
	b, err := Open(cfg, Options{MaxConnOverride: 10, Say: s.say})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b, &s
}

// statesOf gives a balancer's states by "backend/server".
func statesOf(t *testing.T, b *Balancer, only string) map[string]statefile.Entry {
	t.Helper()
	var text bytes.Buffer
	if err := b.WriteServerState(&text, only); err != nil {
		t.Fatal(err)
	}
	entries, problems, err := statefile.Parse(&text)
	if err != nil || len(problems) > 0 {
		t.Fatalf("%v, %v", problems, err)
	}
	all := make(map[string]statefile.Entry)
	for _, e := range entries {
		all[e.Backend+"/"+e.Server] = e
	}
	return all
}

const proxies = `
defaults
  mode tcp
  load-server-state-from-file global
backend one
  id 7
  server a 127.0.0.1:1 check weight 11
  server b 127.0.0.1:2 id 20
  server c 127.0.0.1:3 disabled
  server d localhost:4
  server e /run/e.sock
  server f 127.0.0.1:5 track one/a
backend two
  server a 127.0.0.1:6 agent-check agent-port 99 agent-addr 127.0.0.9 check port 77 addr 127.0.0.8
backend three
  load-server-state-from-file none
  server a 127.0.0.1:7 check
`

// The states are written as HAProxy writes them.
func TestWriteServerState(t *testing.T) {
	b, _ := open(t, "global\n"+proxies)
	var text bytes.Buffer
	if err := b.WriteServerState(&text, "one"); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"7 one 1 a 127.0.0.1 2 0 11 11 0 1 0 2 6 0 1 0 - 1 - 0 0 - - 0",
		"7 one 20 b 127.0.0.1 2 0 1 1 0 0 0 2 0 0 1 1 - 2 - 0 0 - - 0",
		"7 one 2 c 127.0.0.1 0 5 1 1 0 0 0 2 8 0 1 0 - 3 - 0 0 - - 0",
		"7 one 3 d 127.0.0.1 2 0 1 1 0 0 0 2 0 0 1 0 localhost 4 - 0 0 - - 0",
		"7 one 4 e - 2 0 1 1 0 0 0 2 0 0 1 0 - 0 - 0 0 - - 0",
		"7 one 5 f 127.0.0.1 2 0 1 1 0 1 0 2 0 0 1 0 - 5 - 0 0 - - 0",
	}
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	if !slices.Equal(lines[2:], want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines[2:], "\n"), strings.Join(want, "\n"))
	}
	a := statesOf(t, b, "")["two/a"]
	if a.Agent != statefile.CheckConfigured|statefile.CheckEnabled|statefile.CheckAgent || a.AgentPort != 99 || a.AgentAddress.String() != "127.0.0.9" ||
		a.CheckPort != 77 || a.CheckAddress.String() != "127.0.0.8" {
		t.Errorf("two/a is %+v", a)
	}
	if n := len(statesOf(t, b, "7")); n != 6 {
		t.Errorf("by id: %d servers", n)
	}
	if err := b.WriteServerState(&text, "four"); err == nil || err.Error() != "there is no backend 'four'" {
		t.Errorf("an unknown backend: %v", err)
	}
}

// What one balancer has written is what another starts with.
func TestStatesSurvive(t *testing.T) {
	dir := t.TempDir()
	first, _ := open(t, "global\n"+proxies)
	one, two := first.backends["one"].Servers(), first.backends["two"].Servers()
	one[0].SetHealth(0)
	one[0].SetWeight(5)
	one[1].SetMaintenance(true)
	one[3].SetAdmin(1)
	two[0].SetChecksEnabled(false)
	first.backends["three"].Servers()[0].SetHealth(0)
	file, err := os.Create(filepath.Join(dir, "states"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.WriteServerState(file, ""), file.Close()); err != nil {
		t.Fatal(err)
	}
	want := statesOf(t, first, "")

	second, s := open(t, "global\n server-state-base "+dir+"\n server-state-file states\n"+proxies)
	got := statesOf(t, second, "")
	for name, e := range want {
		if name == "three/a" {
			if got[name].Operation != statefile.Running {
				t.Error("a state was loaded for a backend that has asked for none")
			}
			continue
		}
		g := got[name]
		g.SinceChange = e.SinceChange
		if g.Admin&statefile.AnyMaint != 0 {
			g.Health = e.Health // is made anew when the server comes back
		}
		if g != e {
			t.Errorf("%s was\n%+v and is\n%+v", name, e, g)
		}
	}
	told := func() bool {
		return slices.ContainsFunc(s.all(), func(line string) bool {
			return strings.HasPrefix(line, "WARNING Server one/a is DOWN, changed from server-state after a reload.")
		})
	}
	for deadline := time.Now().Add(10 * time.Second); !told(); time.Sleep(time.Millisecond) { // another goroutine says it
		if time.Now().After(deadline) {
			t.Fatalf("said %q", s.all())
		}
	}
}

// line is an entry of one/a whose fields a test replaces.
func line(replace ...string) string {
	const names = "be_id be_name srv_id srv_name srv_addr op admin uweight iweight since status result health check agent be_forced srv_forced fqdn port srv tls check_port check_addr agent_addr agent_port"
	words := strings.Fields("7 one 1 a 127.0.0.1 0 0 11 11 600 8 2 0 6 0 1 0 - 1 - 0 0 - - 0")
	for i := 0; i < len(replace); i += 2 {
		words[slices.Index(strings.Fields(names), replace[i])] = replace[i+1]
	}
	return strings.Join(words, " ")
}

// What a file can have wrong, whether the state is taken over then, and what is said.
func TestReadStates(t *testing.T) {
	for _, test := range []struct {
		name, text string
		local      bool
		taken      bool
		said       []string // what follows "WARNING ", with the file as FILE
	}{
		{"fine", line(), false, true, nil},
		{"other servers", line("srv_name", "z") + "\n" + line("be_name", "z"), false, false, nil},
		{"the first of two counts", line() + "\n" + line("op", "2"), false, true, nil},
		{"another id of the backend", line("be_id", "8"), false, true, []string{"Proxy 'one': backend ID mismatch: from server state file: '8', from running config '7'"}},
		{"an id that was given", line("srv_id", "9", "srv_forced", "1"), false, true, []string{"Proxy 'one': server 'a' has another ID: from server state file: '9', from running config '1'"}},
		{"an id that was not given", line("srv_id", "9"), false, true, nil},
		{"no number", line("op", "9", "check", "x"), false, false, []string{"server-state application failed for server 'one/a', invalid srv_op_state value '9', invalid srv_check_state value 'x'"}},
		{"no number, again and again", line("op", "9") + "\n" + line("op", "9") + "\n" + line("op", "8"), false, false, []string{"server-state application failed for server 'one/a', invalid srv_op_state value '9'"}},
		{"no number, of a server that is not here", line("op", "9", "srv_name", "z"), false, false, nil},
		{"damage", line() + "\nfoo", false, false, []string{"global server state file 'FILE' is not used: line 3 has 1 fields, and at least 20 are needed"}},
		{"another port", line("port", "99"), false, true, []string{"server 'one/a' had port 99 when its state was saved: the configured one, 1, is used"}},
		{"checks that are no more", line("srv_name", "b", "srv_id", "20", "port", "2"), false, false, []string{"server-state partially applied for server 'one/b', health checks are not enabled on this server"}},
		{"local", line(), true, true, nil},
		{"local, of a renamed backend", line("be_name", "uno"), true, false, []string{"Proxy 'one': backend name mismatch: from server state file: 'uno', from running config 'one'"}},
		{"local, of a renamed server", line("srv_name", "z"), true, false, []string{"Proxy 'one': can't find server 'z' in backend 'one'"}},
		{"local, damage", "foo", true, false, []string{"Proxy 'one': server state file 'FILE' is not used: line 2 has 1 fields, and at least 20 are needed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "states")
			if err := os.WriteFile(path, []byte("1\n"+test.text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			text := "global\n server-state-file " + path + "\n" + proxies
			if test.local {
				text = strings.Replace("global\n"+proxies, "  id 7\n", "  id 7\n  load-server-state-from-file local\n  server-state-file-name "+path+"\n", 1)
			}
			b, s := open(t, text)
			var heard []string
			for _, line := range s.all() {
				// What states bring about is said on another goroutine, and tested elsewhere.
				if text, is := strings.CutPrefix(line, "WARNING "); is && !strings.HasPrefix(text, "Server ") {
					heard = append(heard, strings.ReplaceAll(text, path, "FILE"))
				}
			}
			if !slices.Equal(heard, test.said) {
				t.Errorf("said %q, want %q", heard, test.said)
			}
			if e := statesOf(t, b, "")["one/a"]; (e.Operation == statefile.Stopped) != test.taken {
				t.Errorf("one/a is %+v; want the file's state: %v", e, test.taken)
			}
		})
	}
}

// "init-addr last": the address comes from the file if it is that of the name.
func TestLastAddress(t *testing.T) {
	for _, test := range []struct{ name, init, want string }{
		{"localhost", "", "127.0.0.77"},
		{"LOCALHOST.", "", "127.0.0.77"},
		{"another.name", "", "127.0.0.1"},
		{"localhost", "init-addr libc,last", "127.0.0.1"},
	} {
		path := filepath.Join(t.TempDir(), "states")
		entry := line("srv_name", "d", "srv_addr", "127.0.0.77", "fqdn", test.name, "port", "4", "iweight", "1", "check", "0", "op", "2")
		if err := os.WriteFile(path, []byte("1\n"+entry+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(proxies, "localhost:4", "localhost:4 "+test.init, 1)
		b, _ := open(t, "global\n server-state-file "+path+"\n"+text)
		if got := statesOf(t, b, "")["one/d"].Address.String(); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

// The servers of a service stand for the targets for which they stood, so that an answer finds them in their places.
func TestServicesAreRecalled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "states")
	entry := func(server, address, host, port, record string) string {
		return line("be_id", "1", "be_forced", "0", "be_name", "b", "srv_name", server, "srv_addr", address, "fqdn", host, "port", port, "srv", record,
			"iweight", "1", "uweight", "1", "check", "0", "op", "2") + "\n"
	}
	const record = "_db._tcp.example.org"
	text := "1\n" + entry("s1", "-", "-", "0", record) + entry("s2", "10.0.0.2", "H2.example.org", "1002", record) +
		entry("s3", "10.0.0.2", "h2.example.org", "1002", record) + entry("s4", "10.0.0.4", "h4.example.org", "1004", "_other._tcp.example.org")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b, s := open(t, "global\n server-state-file "+path+"\nresolvers r\n nameserver n 127.0.0.1:1\n"+
		"backend b\n mode tcp\n load-server-state-from-file global\n server-template s 4 "+record+" resolvers r\n")
	var got []string
	for name, e := range statesOf(t, b, "") {
		got = append(got, fmt.Sprint(name, " ", e.Address, " ", e.Port, " ", e.Name, " ", e.SRVRecord, " ", e.Admin&statefile.ResolutionMaint != 0))
	}
	slices.Sort(got)
	want := []string{
		"b/s1 invalid IP 0  " + record + " true", "b/s2 10.0.0.2 1002 h2.example.org " + record + " false",
		"b/s3 invalid IP 0  " + record + " true", "b/s4 invalid IP 0  " + record + " true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	refused := "WARNING server-state application failed for server 'b/s4', SRV record mismatch between configuration ('" + record + "') and state file ('_other._tcp.example.org')"
	if lines := s.all(); len(lines) == 0 || lines[0] != refused {
		t.Errorf("said %q", lines)
	}
}

// A file that is not there is a warning, unless it is one that sluice itself is about to write.
func TestNoStateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "states")
	_, s := open(t, "global\n server-state-file "+path+"\n"+proxies)
	if lines := s.all(); !slices.Equal(lines, []string{"WARNING global server state file '" + path + "' is not used: no such file or directory"}) {
		t.Errorf("said %q", lines)
	}
	_, s = open(t, "global\n server-state-save\n server-state-file "+path+"\n"+proxies)
	if lines := s.all(); !slices.Equal(lines, []string{"NOTICE there is no server state file '" + path + "' yet"}) {
		t.Errorf("said %q", lines)
	}
}

// newSaver makes a saver for a directory whose states are numbered.
func newSaver(t *testing.T, dir string, s *said) *stateSaver {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	return &stateSaver{
		path: dir + "/states", name: "states", dir: root, say: s.say,
		state:    func() ([]byte, error) { n++; return []byte(strings.Repeat("x", n)), nil },
		patience: saveTime, wanted: make(chan []byte, 1), ended: make(chan struct{}), quit: make(chan struct{}),
	}
}

// The last state is in the file when the saver has ended, and nothing else is left.
func TestSaver(t *testing.T) {
	dir := t.TempDir()
	var s said
	saver := newSaver(t, dir, &s)
	saver.start()
	saver.last()
	saver.last()
	saver.close()
	data, err := os.ReadFile(dir + "/states")
	entries, _ := os.ReadDir(dir)
	if string(data) != "xx" || err != nil || len(entries) != 1 || len(s.all()) > 0 {
		t.Errorf("%q, %v; %d files; said %q", data, err, len(entries), s.all())
	}
}

// What cannot be written leaves the old file as it was. It is said once, and when it is over.
func TestSaverFails(t *testing.T) {
	dir := t.TempDir()
	var s said
	saver := newSaver(t, dir, &s)
	defer saver.dir.Close()
	saver.write([]byte("old"))
	// A directory in the place of the new file, with something in it, is there to stay: not even root gets past it.
	blocker := filepath.Join(dir, "."+saver.name+"."+pid())
	if err := os.MkdirAll(blocker+"/x", 0o700); err != nil {
		t.Fatal(err)
	}
	saver.write([]byte("new"))
	saver.write([]byte("newer"))
	if data, _ := os.ReadFile(dir + "/states"); string(data) != "old" {
		t.Errorf("the file has %q", data)
	}
	if err := os.RemoveAll(blocker); err != nil {
		t.Fatal(err)
	}
	saver.write([]byte("newest"))
	if data, _ := os.ReadFile(dir + "/states"); string(data) != "newest" {
		t.Errorf("the file has %q", data)
	}
	lines := s.all()
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "WARNING cannot write server state file '"+dir+"/states', which stays as it was:") ||
		lines[1] != "NOTICE server state file '"+dir+"/states' is written again" {
		t.Errorf("said %q", lines)
	}
}

// A full disk, for which the device stands whose every write is ENOSPC, is seen.
func TestSaverFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	var s said
	saver := newSaver(t, t.TempDir(), &s)
	defer saver.dir.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := saver.fill(full, []byte("x")); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
}

// A disk that hangs does not keep the process from ending.
func TestSaverHangs(t *testing.T) {
	var s said
	saver := newSaver(t, t.TempDir(), &s)
	saver.started = true // and the goroutine never comes back from its first write
	saver.patience = time.Millisecond
	saver.last()
	saver.close()
	if lines := s.all(); len(lines) != 1 || !strings.HasSuffix(lines[0], "writing takes too long, and is given up") {
		t.Errorf("said %q", lines)
	}
}
