package wire

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
)

// What HAProxy 2.6.12 sends for the same endpoints.
func TestAppendV1(t *testing.T) {
	for _, c := range []struct {
		src, dst Endpoint
		want     string
	}{
		{ip("192.168.0.1:56324"), ip("192.168.0.11:443"), "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"},
		{ip("[::1]:59182"), ip("[::1]:21001"), "PROXY TCP6 ::1 ::1 59182 21001\r\n"},
		{ip("[::ffff:127.0.0.1]:1"), ip("[::ffff:127.0.0.1]:2"), "PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 1 2\r\n"},
		{ip("10.1.2.3:52458"), ip("[::1]:21004"), "PROXY TCP6 ::ffff:10.1.2.3 ::1 52458 21004\r\n"},
		{ip("[fe80::1%eth0]:1"), ip("[fe80::2]:2"), "PROXY TCP6 fe80::1 fe80::2 1 2\r\n"},
		{Endpoint{}, Endpoint{Path: "/run/in.sock"}, "PROXY UNKNOWN\r\n"},
		{ip("1.2.3.4:5"), Endpoint{}, "PROXY UNKNOWN\r\n"},
	} {
		if got := string(AppendV1([]byte("before"), c.src, c.dst)); got != "before"+c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestAppendV2(t *testing.T) {
	unix := Endpoint{Path: "/run/in.sock"}
	for _, c := range []struct {
		name     string
		src, dst Endpoint
		options  V2Options
		want     string
	}{
		{"IPv4", ip("1.2.3.4:11"), ip("5.6.7.8:22"), V2Options{}, v2(0x21, 0x11, body4)},
		{"mixed", ip("1.2.3.4:11"), ip("[2001:db8::1]:22"), V2Options{}, v2(0x21, 0x21, mapped6)},
		{"LOCAL", ip("1.2.3.4:11"), ip("5.6.7.8:22"), V2Options{Local: true}, v2(0x20, 0x00, "")},
		{"unix as HAProxy sends it", Endpoint{}, unix, V2Options{}, v2(0x20, 0x00, "")},
		{"unix with paths", Endpoint{}, unix, V2Options{UnixPaths: true}, v2(0x21, 0x31, padPath("")+padPath(unix.Path))},
		{"half known", ip("1.2.3.4:11"), Endpoint{}, V2Options{}, v2(0x20, 0x00, "")},
		{"TLVs", ip("1.2.3.4:11"), ip("5.6.7.8:22"), V2Options{UniqueID: []byte("id"), Authority: []byte("a.b")},
			v2(0x21, 0x11, body4+"\x02\x00\x03a.b\x05\x00\x02id")},
		{"empty unique id", ip("1.2.3.4:11"), ip("5.6.7.8:22"), V2Options{UniqueID: []byte{}}, v2(0x21, 0x11, body4+"\x05\x00\x00")},
		{"namespace as HAProxy sends it", ip("1.2.3.4:11"), ip("5.6.7.8:22"), V2Options{UniqueID: []byte("id"), Namespace: "blue"},
			v2(0x21, 0x11, body4+"\x05\x00\x02id\x30\x00\x04blue")},
		{"cut", ip("1.2.3.4:11"), ip("5.6.7.8:22"), V2Options{UniqueID: make([]byte, 200), Authority: make([]byte, 300)},
			v2(0x21, 0x11, body4+"\x02\x00\xff"+strings.Repeat("\x00", 255)+"\x05\x00\x80"+strings.Repeat("\x00", 128))},
	} {
		got := AppendV2([]byte("before"), c.src, c.dst, c.options)
		if !bytes.Equal(got, []byte("before"+c.want)) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want)
		}
		if _, n, err := Decode(got[6:]); err != nil || n != len(got)-6 {
			t.Errorf("%s: decoded: %d, %v", c.name, n, err)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, MaxAppend)
	four, six := ip("1.2.3.4:11"), ip("[2001:db8::1]:22")
	paths := Endpoint{Path: "/run/in.sock"}
	if n := testing.AllocsPerRun(100, func() {
		AppendV1(dst, four, four)
		AppendV1(dst, four, six)
		AppendV2(dst, four, four, V2Options{CRC32C: true})
		AppendV2(dst, paths, paths, V2Options{CRC32C: true, UnixPaths: true})
		AppendSOCKS4(dst, four.AddrPort)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := len(AppendV2(nil, paths, paths, V2Options{CRC32C: true, UnixPaths: true})); n != MaxAppend {
		t.Errorf("the longest header has %d bytes, MaxAppend says %d", n, MaxAppend)
	}
}

func TestSOCKS4(t *testing.T) {
	// As HAProxy 2.6.12 sends it, but for the user id.
	want := "\x04\x01\x10\xe1\x0a\x09\x08\x07sluice\x00"
	for _, target := range []string{"10.9.8.7:4321", "[::ffff:10.9.8.7]:4321"} {
		if got := string(AppendSOCKS4(nil, netip.MustParseAddrPort(target))); got != want {
			t.Errorf("%s: %q", target, got)
		}
	}
	if got := AppendSOCKS4([]byte("x"), netip.MustParseAddrPort("[2001:db8::1]:1")); string(got) != "x" {
		t.Errorf("IPv6: %q", got)
	}
	for _, c := range []struct {
		in  string
		n   int
		err error
	}{
		{"", 0, ErrShort}, {"\x00\x5a\x00\x00\x00\x00\x00", 0, ErrShort},
		{"\x00\x5a\x00\x00\x00\x00\x00\x00hello", 8, nil},
		{"\x00\x5b", 0, ErrSOCKS4Rejected}, {"\x00\x5d\x00\x00\x00\x00\x00\x00", 0, ErrSOCKS4Rejected},
		{"\x05", 0, ErrSOCKS4Reply}, {"\x00\x00", 0, ErrSOCKS4Reply},
	} {
		if n, err := DecodeSOCKS4([]byte(c.in)); n != c.n || err != c.err {
			t.Errorf("%q: %d, %v", c.in, n, err)
		}
	}
}

// The parsers agree with package netip's, but for zones, which no header may have.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"", "::", "::1", "1::", "1.2.3.4", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::1.2.3.4", "1:2:3:4:5:6:1.2.3.4",
		"1::2::3", "12345::", ":::", "1:", ":1", "::ffff:01.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "1.2.3", "1.2.3.4.5", "256.1.1.1", "a.b.c.d", "::1%x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := netip.ParseAddr(s)
		valid := err == nil && want.Zone() == ""
		if got, ok := parseIPv4([]byte(s)); ok != (valid && want.Is4()) || ok && got != want {
			t.Errorf("IPv4 %q: %v %v, netip: %v %v", s, got, ok, want, err)
		}
		if got, ok := parseIPv6([]byte(s)); ok != (valid && want.Is6()) || ok && got != want {
			t.Errorf("IPv6 %q: %v %v, netip: %v %v", s, got, ok, want, err)
		}
	})
}

func BenchmarkDecodeV2(b *testing.B) {
	in := []byte(v2(0x21, 0x11, body4))
	b.ReportAllocs()
	for b.Loop() {
		Decode(in)
	}
}

func BenchmarkDecodeV1(b *testing.B) {
	in := []byte("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n")
	b.ReportAllocs()
	for b.Loop() {
		Decode(in)
	}
}
