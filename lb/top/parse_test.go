package top

import (
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseAddress(t *testing.T) {
	abstract := "@sluice" + strings.Repeat("\x00", abstractLength-7)
	for _, test := range []struct{ text, network, address, failure string }{
		{"/run/sluice.sock", "unix", "/run/sluice.sock", ""},
		{"./here.sock", "unix", "./here.sock", ""},
		{"unix@here.sock", "unix", "here.sock", ""},
		{"abns@sluice", "unix", abstract, ""},
		{"127.0.0.1:9999", "tcp", "127.0.0.1:9999", ""},
		{":9999", "tcp", "localhost:9999", ""},
		{"*:9999", "tcp", "localhost:9999", ""},
		{"ipv4@host:9999", "tcp4", "host:9999", ""},
		{"ipv6@[::1]:9999", "tcp6", "[::1]:9999", ""},
		{"tcp@[::1]:9999", "tcp", "[::1]:9999", ""},
		{"", "", "", "is no address"},
		{"unix@", "", "", "is no address"},
		{"sluice", "", "", "neither the path of a socket nor HOST:PORT"},
		{"udp@host:1", "", "", "unknown kind"},
		{"abns@" + strings.Repeat("x", 108), "", "", "longer than 107 bytes"},
	} {
		network, address, err := parseAddress(test.text)
		if network != test.network || address != test.address || (err == nil) != (test.failure == "") || err != nil && !strings.Contains(err.Error(), test.failure) {
			t.Errorf("%q: %q %q %v", test.text, network, address, err)
		}
	}
	if len(abstract) != abstractLength {
		t.Errorf("%d bytes", len(abstract))
	}
}

func TestSplitCSV(t *testing.T) {
	for line, want := range map[string][]string{
		"a,b,":                 {"a", "b", ""},
		`a,"b,c",d`:            {"a", "b,c", "d"},
		`"say ""hi"", then",x`: {`say "hi", then`, "x"},
		"":                     {""},
	} {
		if got := splitCSV(line); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// A socket that is none is told apart from one without an answer.
func TestNotAStatsSocket(t *testing.T) {
	for _, test := range []struct{ says, want string }{
		{"", "unexpected EOF after 0 of 3 answers"},
		{"220 mail ready\n\n\n\n", `this is not a stats socket: it answers "220 mail ready"`},
		{"Pid: 1\n\n", "unexpected EOF after 1 of 3 answers"},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.ReadFull(conn, make([]byte, len("show info;show stat;show cli level\n")))
			io.WriteString(conn, test.says)
			conn.Close()
		}()
		c := &Client{network: "tcp", address: listener.Addr().String()}
		if _, err := c.Look(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.says, err, test.want)
		}
		listener.Close()
	}
}

func TestFormat(t *testing.T) {
	for n, want := range map[float64]string{0: "0", 0.5: "0.5", 3: "3", 12.3: "12", 999: "999", 999.6: "1.00k", 1234: "1.23k", 12345: "12.3k", 999_499: "999k", 1e6: "1.00M", 123e9: "123G"} {
		if got := short(n); got != want {
			t.Errorf("%v: %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 1000: "1000", 99_999: "99999", 100_000: "100k"} {
		if got := count(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m01s", 2*time.Hour + time.Minute: "2h01m", 49 * time.Hour: "2d1h"} {
		if got := age(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for _, test := range []struct {
		history []float64
		want    string
	}{{nil, "    "}, {[]float64{0, 0}, "    "}, {[]float64{1, 2, 4, 8, 0}, "▂▄█ "}, {[]float64{5}, "   █"}} {
		if got := spark(test.history, 4); got != test.want {
			t.Errorf("%v: %q, want %q", test.history, got, test.want)
		}
	}
	if got := bar(0.5, 4) + bar(2, 4); got != "[||  ][||||]" {
		t.Error(got)
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct{ arguments, failure string }{
		{"", ""}, {"-i 500ms -p -s -queue -n 3 /run/x", ""}, {"-i 1ms", "too often"}, {"a b", "one address"}, {"-s SIZE", "no column 'SIZE'; there are NAME, STATUS"}, {"-z", "not defined"},
	} {
		o, err := parseOptions(strings.Fields(test.arguments))
		if (err == nil) != (test.failure == "") || err != nil && !strings.Contains(err.Error(), test.failure) {
			t.Errorf("%q: %+v, %v", test.arguments, o, err)
		}
	}
	o, _ := parseOptions(strings.Fields("-i 500ms -p -s -queue -n 3 /run/x"))
	if o.interval != 500*time.Millisecond || !o.choice.problems || !o.choice.reverse || columns[o.choice.sort].title != "QUEUE" || o.count != 3 || o.address != "/run/x" {
		t.Errorf("%+v", o)
	}
}

// What is printed for scripts.
func TestBatch(t *testing.T) {
	var out strings.Builder
	r := record(t, "haproxy")
	if err := batch(r, "x", time.Millisecond, selection{}, 2, &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), " NAME "); got != 2 || strings.ContainsAny(out.String(), "\x1b\r") || strings.Contains(out.String(), " \n") {
		t.Errorf("%d looks:\n%s", got, out.String())
	}
	r.failure = errGone
	if err := batch(r, "x", time.Millisecond, selection{}, 1, io.Discard); err == nil {
		t.Error("one look without an answer is no error")
	}
	out.Reset()
	if err := batch(r, "x", time.Millisecond, selection{}, 2, &out); err != nil || strings.Count(out.String(), "no answer: dial") != 2 {
		t.Errorf("%v, %s", err, out.String())
	}
}
