package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// A short torrent: some of it is moved by the kernel, and all of it is right.
func TestTorrent(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to load the kernel program")
	}
	run := &torrent{bytes: 200e6, flows: 16, seed: 1, largest: 1 << 20, stall: 5 * time.Millisecond}
	status, err := run.run("", "option sockmap", 2)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(status, "\n")
	if strings.Contains(text, "needs Linux") {
		t.Skip(text)
	}
	if !strings.Contains(text, "moved by the kernel") {
		t.Errorf("the kernel moved nothing:\n%s", text)
	}
}

func TestStreamSeesWhatIsWrong(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func([]byte) []byte
	}{
		{"a byte is another", func(b []byte) []byte { b[70000] ^= 1; return b }},
		{"a segment is lost", func(b []byte) []byte { return append(b[:1000], b[1000+1460:]...) }},
		{"a segment comes twice", func(b []byte) []byte { return append(append([]byte(nil), b[:5000]...), b[5000-1460:]...) }},
	} {
		said, heard := newStream(7), newStream(7)
		b := append([]byte(nil), said.next(100_000)...)
		if err := heard.check(b); err != nil {
			t.Fatal(err)
		}
		heard = newStream(7)
		if heard.check(test.change(b)) == nil {
			t.Errorf("%s: it is not seen", test.name)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"7": 7, "3k": 3000, "100G": 100_000_000_000, "0": 0, "x": 0, "1T": 0} {
		if got, err := size(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}
