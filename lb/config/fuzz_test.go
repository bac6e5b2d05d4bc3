package config

import (
	"bytes"
	"os"
	"path/filepath"
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

// sockets counts what makes a configuration large.
func sockets(c *Config) int {
	n := 0
	for _, p := range c.Proxies {
		n += len(p.Binds) + len(p.Servers)
	}
	return n
}
