package statefile

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// testdata/haproxy-2.6 is what Debian's haproxy 2.6.12 answered to "show servers state" with servers of many sorts.
func haproxyState(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/haproxy-2.6")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What HAProxy wrote comes out again byte by byte.
func TestHAProxysFileIsWrittenAgainAsItWas(t *testing.T) {
	data := haproxyState(t)
	entries, problems, err := Parse(bytes.NewReader(data))
	if err != nil || len(problems) > 0 || len(entries) != 11 {
		t.Fatalf("%d entries, problems %v, error %v", len(entries), problems, err)
	}
	var again bytes.Buffer
	if err := Write(&again, entries); err != nil {
		t.Fatal(err)
	}
	if again.String() != string(data) {
		t.Errorf("read and written:\n%s\nwant\n%s", &again, data)
	}
}

func TestFields(t *testing.T) {
	entries, _, err := Parse(bytes.NewReader(haproxyState(t)))
	if err != nil {
		t.Fatal(err)
	}
	local := netip.MustParseAddr("127.0.0.1")
	for _, want := range []Entry{
		{
			BackendID: 2, Backend: "bk", ServerID: 3, Server: "s3", Address: local, Admin: ForcedMaint | ConfiguredMaint,
			Weight: 1, InitialWeight: 1, SinceChange: 6 * time.Second, CheckStatus: "INI", Check: CheckPaused, Name: "localhost", Port: 22,
		},
		{
			BackendID: 2, Backend: "bk", ServerID: 50, Server: "s4", Address: local, Weight: 1, InitialWeight: 1, SinceChange: 5 * time.Second,
			CheckStatus: "L4CON", CheckResult: ResultFailed, Check: CheckConfigured | CheckEnabled,
			Agent: CheckConfigured | CheckEnabled | CheckAgent, ServerIDForced: true, Port: 23, CheckPort: 77,
			CheckAddress: netip.MustParseAddr("127.0.0.9"), AgentAddress: netip.MustParseAddr("127.0.0.9"), AgentPort: 99,
		},
		{
			BackendID: 77, Backend: "other", ServerID: 1, Server: "s1", Address: local, Operation: Running, Weight: 1, InitialWeight: 1,
			SinceChange: 6 * time.Second, CheckStatus: "INI", Health: 2, BackendIDForced: true,
		},
	} {
		if !slices.Contains(entries, want) {
			t.Errorf("not found: %+v", want)
		}
	}
}

// good is a line whose words a test may replace; with tells them by their columns' names.
const good = "2 bk 1 s1 127.0.0.77 2 0 5 11 600 6 3 4 6 0 0 0 - 18301 - 0 0 - - 0"

func with(replace ...string) string {
	words := strings.Fields(good)
	for i := 0; i < len(replace); i += 2 {
		words[slices.IndexFunc(fields[:], func(f field) bool { return f.name == replace[i] })] = replace[i+1]
	}
	return strings.Join(words, " ")
}

func TestEntriesThatAreLeftOutAlone(t *testing.T) {
	for _, test := range []struct{ line, problem string }{
		{with("srv_op_state", "4"), "invalid srv_op_state value '4'"},
		{with("srv_op_state", "-1"), "invalid srv_op_state value '-1'"},
		{with("srv_admin_state", "128"), "invalid srv_admin_state value '128'"},
		{with("srv_uweight", "257"), "invalid srv_uweight value '257'"},
		{with("srv_iweight", "x"), "invalid srv_iweight value 'x'"},
		{with("srv_time_since_last_change", "long"), "invalid srv_time_since_last_change value 'long'"},
		{with("srv_check_status", "21"), "invalid srv_check_status value '21'"},
		{with("srv_check_result", "5"), "invalid srv_check_result value '5'"},
		{with("srv_check_health", "x"), "invalid srv_check_health value 'x'"},
		{with("srv_check_state", "32", "srv_agent_state", "77"), "invalid srv_check_state value '32', invalid srv_agent_state value '77'"},
		{with("srv_f_forced_id", "x"), "invalid srv_f_forced_id value 'x'"},
		{with("srv_port", "65536"), "invalid srv_port value '65536'"},
		// What HAProxy does not mind either.
		{with("be_id", "x", "srv_id", "x"), ""},
		{with("srv_addr", "/run/socket"), ""},
		{with("srv_check_health", "-3"), ""},
		{with("srv_check_port", "x", "srv_agent_port", "99999"), ""},
		{good + " more fields of a later version", ""},
		{strings.TrimSuffix(good, " 0 0 - - 0"), ""},
	} {
		other := strings.Replace(good, "s1", "s2", 1)
		entries, problems, err := Parse(strings.NewReader("1\n# names\n\n" + test.line + "\n" + other + "\n"))
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		want := []Problem{{4, "bk", "s1", test.problem}}
		if test.problem == "" {
			want = nil
		}
		if !slices.Equal(problems, want) || len(entries) != 2-len(want) || entries[len(entries)-1].Server != "s2" {
			t.Errorf("%s: problems %v, want %v; entries %+v", test.line, problems, want, entries)
		}
	}
}

func TestFilesThatAreNotUsedAtAll(t *testing.T) {
	for _, test := range []struct{ text, problem string }{
		{"", ErrVersion.Error()},
		{"1", ErrVersion.Error()},
		{"2\n" + good + "\n", ErrVersion.Error()},
		{"1 \n" + good + "\n", ErrVersion.Error()},
		{good + "\n", ErrVersion.Error()},
		{"1\n" + good + "\nfoo\n", "line 3 has 1 fields, and at least 20 are needed"},
		{"1\n" + good + "\n" + good, "line 3 has no end: the file was cut off"},
		{"1\n# " + strings.Repeat("x", maxLine) + "\n" + good + "\n", "line 2 is too long"},
	} {
		entries, problems, err := Parse(strings.NewReader(test.text))
		if err == nil || err.Error() != test.problem || entries != nil || problems != nil {
			t.Errorf("%.40q: error %v, want %s; entries %v, problems %v", test.text, err, test.problem, entries, problems)
		}
	}
	failing := errors.New("no more")
	if _, _, err := Parse(&failingReader{"1\n" + good + "\n", failing}); err != failing {
		t.Errorf("a reader that fails: %v", err)
	}
}

type failingReader struct {
	text string
	err  error
}

func (r *failingReader) Read(p []byte) (int, error) {
	n := copy(p, r.text)
	if r.text = r.text[n:]; n == 0 {
		return 0, r.err
	}
	return n, nil
}

// An endless file is given up, at a bound and not when memory ends.
func TestAFileWithoutEnd(t *testing.T) {
	if _, _, err := Parse(&comments{}); err != ErrTooLong {
		t.Errorf("%v", err)
	}
}

// comments is "1\n" and then comments for ever.
type comments struct{ begun bool }

func (c *comments) Read(p []byte) (int, error) {
	if !c.begun {
		c.begun = true
		return copy(p, "1\n"), nil
	}
	for i := range p {
		p[i] = '#'
		if i%4096 == 4095 || i == len(p)-1 {
			p[i] = '\n'
		}
	}
	return len(p), nil
}

// Whatever is read can be written, and reads the same again.
func FuzzParse(f *testing.F) {
	f.Add(haproxyState(f))
	f.Add([]byte("1\n" + good + "\n"))
	f.Add([]byte("1\n" + with("srv_addr", "fe80::1%eth0", "srvrecord", "_a._tcp.example.org", "srv_fqdn", "a.example.org") + "\n"))
	f.Add([]byte("2\n" + good + "\n"))
	f.Add([]byte("1\nfoo\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, problems, err := Parse(bytes.NewReader(data))
		if err != nil && (entries != nil || problems != nil) {
			t.Fatalf("entries %v and problems %v beside the error %v", entries, problems, err)
		}
		var text bytes.Buffer
		if err := Write(&text, entries); err != nil {
			t.Fatal(err)
		}
		again, problems, err := Parse(&text)
		if err != nil || len(problems) > 0 || !slices.Equal(again, entries) {
			t.Fatalf("read %+v, and then %+v, problems %v, error %v", entries, again, problems, err)
		}
	})
}
