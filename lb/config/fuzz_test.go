package config

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// FuzzConfig: whatever the text, Load ends; it gives a configuration or an Alert, never both; and what it accepts it
// prints, and reads back as an equal model.
func FuzzConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/*.cfg")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, k := range Keywords() {
		for _, place := range places(k.Sections) {
			f.Add([]byte(around(place, k.Example)))
		}
	}
	for _, c := range comparisons {
		f.Add([]byte("backend b\n" + c.lines + "\nserver s 127.0.0.1:80 check\n"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<14 || bytes.Count(text, []byte("server-template")) > 1 || bytes.Count(text, []byte("bind")) > 20 {
			return // what makes many thousand servers is slow, not wrong
		}
		c, diagnostics := load("fuzz", string(text))
		alerts := 0
		for _, d := range diagnostics {
			if d.Severity == Alert {
				alerts++
			}
		}
		if (c == nil) != (alerts > 0) {
			t.Fatalf("configuration: %v, alerts: %d\n%s", c != nil, alerts, complaints(diagnostics))
		}
		if c != nil && sockets(c) < 5000 {
			roundTrip(t, c)
		}
	})
}

// FuzzCheckFormat: a format that is taken can be evaluated, with and without values; a pattern that is taken agrees with the
// unchanged one wherever "$" makes no difference.
func FuzzCheckFormat(f *testing.F) {
	for _, seed := range []string{"%b/%s", "%[str('a,b'),upper]x%%", "%[res.payload(0,4),cut_crlf,hex]", "(a$|b)*$", "^[a-z]+$", "(?m)^x$", "(?s).$", `\$`, "a{2,3}(b|$)"} {
		f.Add(seed, "ab")
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		if format, err := ParseCheckFormat(text); err == nil {
			format.Append(nil, &testValues)
			empty := string(format.Append(nil, &CheckValues{}))
			if format.Constant() && empty != string(format.Append(nil, &testValues)) {
				t.Errorf("%q is no constant", text)
			}
		}
		original, err := regexp.Compile(text)
		changed, err2 := CompileCheckPattern(text)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("%q: %v, %v", text, err, err2)
		}
		if err == nil && !strings.HasSuffix(input, "\n") && original.MatchString(input) != changed.MatchString(input) {
			t.Errorf("%q and %q: changed into %q", text, input, changed)
		}
	})
}

// sockets counts what makes a configuration large.
func sockets(c *Config) int {
	n := 0
	for _, p := range c.Proxies {
		n += len(p.Binds) + len(p.Servers)
	}
	return n
}
