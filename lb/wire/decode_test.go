package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func ip(s string) Endpoint { return Endpoint{AddrPort: netip.MustParseAddrPort(s)} }

// v2 builds a binary header by hand, its length right whatever the body.
func v2(command, family byte, body string) string {
	head := append([]byte(signatureV2), command, family, 0, 0)
	binary.BigEndian.PutUint16(head[14:], uint16(len(body)))
	return string(head) + body
}

const (
	body4   = "\x01\x02\x03\x04\x05\x06\x07\x08\x00\x0b\x00\x16" // 1.2.3.4:11 to 5.6.7.8:22
	mapped6 = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x0b\x00\x16"
)

func padPath(s string) string { return s + strings.Repeat("\x00", 108-len(s)) }

var decodeCases = []struct {
	name, in string
	want     Header
	err      error
}{
	{"spec's example", "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
		Header{Version: 1, Source: ip("192.168.0.1:56324"), Destination: ip("192.168.0.11:443")}, nil},
	{"spec's longest TCP4", "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
		Header{Version: 1, Source: ip("255.255.255.255:65535"), Destination: ip("255.255.255.255:65535")}, nil},
	{"spec's longest TCP6", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		Header{Version: 1, Source: ip("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"), Destination: ip("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535")}, nil},
	{"spec's shortest", "PROXY UNKNOWN\r\n", Header{Version: 1, Unknown: true}, nil},
	{"spec's worst case", "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		Header{Version: 1, Unknown: true}, nil},
	{"port 0", "PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n", Header{Version: 1, Source: ip("1.2.3.4:0"), Destination: ip("5.6.7.8:0")}, nil},
	{"mapped", "PROXY TCP6 2001:DB8::1 ::ffff:1.2.3.4 11 22\r\n",
		Header{Version: 1, Source: ip("[2001:db8::1]:11"), Destination: ip("[::ffff:1.2.3.4]:22")}, nil},
	{"one byte too long", "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r\n", Header{}, ErrLineTooLong},
	{"CR as byte 107", "PROXY UNKNOWN " + strings.Repeat("x", 92) + "\r", Header{}, ErrLineTooLong},
	{"UNKNOWN glued", "PROXY UNKNOWNab\r\n", Header{}, ErrProtocol},
	{"UDP4", "PROXY UDP4 1.2.3.4 5.6.7.8 11 22\r\n", Header{}, ErrProtocol},
	{"lower case", "proxy TCP4 1.2.3.4 5.6.7.8 11 22\r\n", Header{}, ErrSignature},
	{"only LF", "PROXY TCP4 1.2.3.4 5.6.7.8 11 22\n", Header{}, ErrLineEnd},
	{"CR inside", "PROXY UNKNOWN a\rb\r\n", Header{}, ErrLineEnd},
	{"two spaces", "PROXY TCP4  1.2.3.4 5.6.7.8 11 22\r\n", Header{}, ErrLine},
	{"trailing space", "PROXY TCP4 1.2.3.4 5.6.7.8 11 22 \r\n", Header{}, ErrLine},
	{"one port", "PROXY TCP4 1.2.3.4 5.6.7.8 11\r\n", Header{}, ErrLine},
	{"leading zero in address", "PROXY TCP4 1.2.3.04 5.6.7.8 11 22\r\n", Header{}, ErrAddress},
	{"IPv4 in TCP6", "PROXY TCP6 1.2.3.4 5.6.7.8 11 22\r\n", Header{}, ErrAddress},
	{"IPv6 in TCP4", "PROXY TCP4 ::1 ::2 11 22\r\n", Header{}, ErrAddress},
	{"zone", "PROXY TCP6 fe80::1%eth0 ::2 11 22\r\n", Header{}, ErrAddress},
	{"leading zero in port", "PROXY TCP4 1.2.3.4 5.6.7.8 011 22\r\n", Header{}, ErrPort},
	{"port too large", "PROXY TCP4 1.2.3.4 5.6.7.8 65536 22\r\n", Header{}, ErrPort},
	{"HTTP", "GET / HTTP/1.1\r\n\r\n", Header{}, ErrSignature},

	{"v2 TCP4", v2(0x21, 0x11, body4), Header{Version: 2, Source: ip("1.2.3.4:11"), Destination: ip("5.6.7.8:22")}, nil},
	{"v2 TCP6", v2(0x21, 0x21, mapped6), Header{Version: 2, Source: ip("[::ffff:1.2.3.4]:11"), Destination: ip("[2001:db8::1]:22")}, nil},
	{"v2 unix", v2(0x21, 0x31, padPath("/a/b")+padPath("\x00abstract")),
		Header{Version: 2, Source: Endpoint{Path: "/a/b"}, Destination: Endpoint{Path: "\x00abstract"}}, nil},
	{"v2 unix, full path", v2(0x21, 0x31, strings.Repeat("p", 108)+padPath("")), Header{Version: 2, Source: Endpoint{Path: strings.Repeat("p", 108)}}, nil},
	{"v2 unix, unnamed", v2(0x21, 0x31, padPath("")+padPath("")), Header{Version: 2, Unknown: true}, nil},
	{"v2 UDP falls back", v2(0x21, 0x12, body4), Header{Version: 2, Unknown: true}, nil},
	{"v2 unspecified transport", v2(0x21, 0x10, body4), Header{Version: 2, Unknown: true}, nil},
	{"v2 unspecified family", v2(0x21, 0x01, "xyz"), Header{Version: 2, Unknown: true}, nil},
	{"v2 unspecified", v2(0x21, 0x00, ""), Header{Version: 2, Unknown: true}, nil},
	{"v2 LOCAL", v2(0x20, 0x00, ""), Header{Version: 2, Local: true}, nil},
	{"v2 LOCAL, all ignored", v2(0x20, 0x99, "\x03\x00\x09"), Header{Version: 2, Local: true}, nil},
	{"v2 TLV", v2(0x21, 0x11, body4+"\x04\x00\x03abc"), Header{Version: 2, Source: ip("1.2.3.4:11"), Destination: ip("5.6.7.8:22")}, nil},
	{"v2 empty TLV", v2(0x21, 0x11, body4+"\x04\x00\x00"), Header{Version: 2, Source: ip("1.2.3.4:11"), Destination: ip("5.6.7.8:22")}, nil},
	{"v2 long TLV", v2(0x21, 0x11, body4+"\x04\x3f\xb0"+strings.Repeat("a", 0x3fb0)), Header{Version: 2, Source: ip("1.2.3.4:11"), Destination: ip("5.6.7.8:22")}, nil},
	{"v2 beyond the limit", v2(0x21, 0x11, body4+"\x04\x40\x00"+strings.Repeat("a", 0x4000)), Header{}, ErrTooLong},
	{"v2 TLV cut", v2(0x21, 0x11, body4+"\x04\x00\x09abc"), Header{}, ErrTLV},
	{"v2 TLV cut in its head", v2(0x21, 0x11, body4+"\x04\x00"), Header{}, ErrTLV},
	{"v2 TLV cut, UDP", v2(0x21, 0x12, body4+"\x04"), Header{}, ErrTLV},
	{"v2 bad checksum", v2(0x21, 0x11, body4+"\x03\x00\x04abcd"), Header{}, ErrChecksum},
	{"v2 checksum of 3", v2(0x21, 0x11, body4+"\x03\x00\x03abc"), Header{}, ErrTLVSize},
	{"v2 long unique id", v2(0x21, 0x11, body4+"\x05\x00\x81"+strings.Repeat("a", 129)), Header{}, ErrTLVSize},
	{"v2 long authority", v2(0x21, 0x11, body4+"\x02\x01\x00"+strings.Repeat("a", 256)), Header{}, ErrTLVSize},
	{"v2 short addresses", v2(0x21, 0x11, body4[:8]), Header{}, ErrAddressSize},
	{"v2 short paths", v2(0x21, 0x31, padPath("/a")), Header{}, ErrAddressSize},
	{"v2 family 4", v2(0x21, 0x41, body4), Header{}, ErrFamily},
	{"v2 transport 3", v2(0x21, 0x13, body4), Header{}, ErrFamily},
	{"v2 command 2", v2(0x22, 0x11, body4), Header{}, ErrCommand},
	{"v2 version 1", v2(0x11, 0x11, body4), Header{}, ErrVersion},
}

func TestDecode(t *testing.T) {
	for _, c := range decodeCases {
		t.Run(c.name, func(t *testing.T) {
			h, n, err := Decode([]byte(c.in + "payload\r\n"))
			if !errors.Is(err, c.err) || h != c.want {
				t.Fatalf("got %+v, %v; want %+v, %v", h, err, c.want, c.err)
			}
			if err == nil && n != len(c.in) {
				t.Errorf("consumed %d of %d bytes", n, len(c.in))
			}
			if err != nil && (n != 0 || !errors.Is(err, ErrMalformed)) {
				t.Errorf("n = %d, malformed: %v", n, errors.Is(err, ErrMalformed))
			}
		})
	}
}

// A header in pieces: short until it is whole, and what is refused early stays refused for the same reason.
func TestDecodeByteByByte(t *testing.T) {
	for _, c := range decodeCases {
		in := []byte(c.in)
		step := 1 + len(in)/200
		var first error
		for k := 0; k <= len(in); k += step {
			_, _, err := Decode(in[:k])
			switch {
			case first != nil && err != first:
				t.Fatalf("%s: %v after %d bytes, was %v", c.name, err, k, first)
			case err == nil && k < len(in):
				t.Fatalf("%s: accepted after %d of %d bytes", c.name, k, len(in))
			case err != nil && err != ErrShort:
				first = err
			}
		}
		if c.err == nil && first != nil {
			t.Errorf("%s: refused in pieces: %v", c.name, first)
		}
	}
}

// The chunk that HAProxy 2.6.12 sent to a server with "send-proxy-v2 proxy-v2-options crc32c,unique-id".
const fromHAProxy = "\r\n\r\n\x00\r\nQUIT\n!\x11\x00\x1d\x7f\x00\x00\x01\x7f\x00\x00\x01\xecRR\x0b\x03\x00\x04\xe3\x12\xe3V\x05\x00\x07xyz9309"

func TestHAProxysChecksum(t *testing.T) {
	h, n, err := Decode([]byte(fromHAProxy))
	if err != nil || n != len(fromHAProxy) {
		t.Fatal(h, n, err)
	}
	got := AppendV2(nil, h.Source, h.Destination, V2Options{CRC32C: true, UniqueID: []byte("xyz9309")})
	if !bytes.Equal(got, []byte(fromHAProxy)) {
		t.Errorf("got  %q\nwant %q", got, fromHAProxy)
	}
	for i := range fromHAProxy {
		if i == 28 {
			continue // the checksum's type: with another one there is no checksum
		}
		flipped := []byte(fromHAProxy)
		flipped[i] ^= 1
		if h2, _, err := Decode(flipped); err == nil && h2.Version == 2 && !h2.Local {
			t.Errorf("byte %d flipped and still accepted as %+v", i, h2)
		}
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	inputs := [][]byte{
		[]byte("PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 11 22\r\n"), []byte("PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n"),
		[]byte(fromHAProxy), []byte("PROXY TCP4 1.2.3.4 5.6.7.8 11 99999\r\n"), []byte("GET /"), []byte("PROXY"),
	}
	if n := testing.AllocsPerRun(100, func() {
		for _, in := range inputs {
			Decode(in)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range decodeCases {
		f.Add([]byte(c.in))
	}
	f.Add([]byte(fromHAProxy))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := Decode(b)
		if err == nil {
			checkAccepted(t, b, h, n)
			return
		}
		if n != 0 || h != (Header{}) || (err == ErrShort) == errors.Is(err, ErrMalformed) {
			t.Fatalf("%+v, %d, %v", h, n, err)
		}
		if err == ErrShort && len(b) >= shortBelow(b) {
			t.Fatalf("short with %d bytes of at most %d", len(b), shortBelow(b))
		}
		if err != ErrShort {
			if _, _, again := Decode(append(bytes.Clone(b), "\r\n more"...)); again != err {
				t.Fatalf("%v, with more bytes %v", err, again)
			}
		}
	})
}

// shortBelow is the number of bytes that decide about any header that begins as b does.
func shortBelow(b []byte) int {
	switch {
	case len(b) >= 16 && b[0] == '\r':
		return 16 + int(binary.BigEndian.Uint16(b[14:]))
	case len(b) > 0 && b[0] == 'P':
		return MaxV1
	}
	return 16
}

func checkAccepted(t *testing.T, b []byte, h Header, n int) {
	if n <= 0 || n > len(b) || n > MaxHeader {
		t.Fatalf("n = %d of %d", n, len(b))
	}
	for _, k := range []int{0, n / 2, n - 1} {
		if _, _, err := Decode(b[:k]); err != ErrShort {
			t.Fatalf("accepted whole, but the first %d of %d bytes: %v", k, n, err)
		}
	}
	again := AppendV1(nil, h.Source, h.Destination)
	if h.Version == 2 {
		again = AppendV2(nil, h.Source, h.Destination, V2Options{Local: h.Local, UnixPaths: true, CRC32C: true})
	}
	h2, n2, err := Decode(again)
	if h.Version == 2 && h.Unknown { // is announced as LOCAL
		h.Unknown, h.Local = false, true
	}
	if err != nil || h2 != h || n2 != len(again) {
		t.Fatalf("%+v encoded as %q is %+v, %d, %v", h, again, h2, n2, err)
	}
}
