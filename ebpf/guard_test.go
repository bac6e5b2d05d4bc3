package ebpf

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"
)

// packet is an Ethernet frame from source, with the given parts between its network header and that of TCP.
type packet struct {
	source   string
	vlans    int
	options  int      // bytes of IPv4 options
	headers  [][]byte // IPv6 extension headers, without their first byte; types names them
	types    []byte
	fragment uint16 // offset in 8 bytes
	protocol byte   // 0: TCP
	flags    byte
	cut      int // the frame ends after so many bytes; 0: it is whole
}

const (
	syn = 2
	ack = 16
)

func (p packet) frame() []byte {
	b := make([]byte, 12)
	kind := []byte{0x08, 0x00}
	source := netip.MustParseAddr(p.source)
	if source.Is6() {
		kind = []byte{0x86, 0xdd}
	}
	for range p.vlans {
		b = append(b, 0x81, 0x00, 0, 7)
	}
	b = append(b, kind...)
	protocol := p.protocol
	if protocol == 0 {
		protocol = 6
	}
	tcp := make([]byte, 40)
	tcp[12], tcp[13] = 5<<4, p.flags
	if source.Is4() {
		ip := make([]byte, 20+p.options)
		ip[0] = 4<<4 | byte(len(ip)/4)
		ip[9] = protocol
		binary.BigEndian.PutUint16(ip[6:], p.fragment)
		copy(ip[12:], source.AsSlice())
		b = append(append(b, ip...), tcp...)
	} else {
		ip := make([]byte, 40)
		ip[0] = 6 << 4
		copy(ip[8:], source.AsSlice())
		next := &ip[6]
		var between []byte
		for i, h := range p.headers {
			*next = p.types[i]
			at := len(between)
			between = append(append(between, 0), h...)
			next = &between[at]
		}
		*next = protocol
		b = append(append(append(b, ip...), between...), tcp...)
	}
	if p.cut > 0 {
		b = b[:p.cut]
	}
	return b
}

func openGuard(t *testing.T, o GuardOptions) *Guard {
	t.Helper()
	g, err := OpenGuard(o)
	available(t, err)
	t.Cleanup(g.Close)
	return g
}

// passes runs the program once.
func (g *Guard) passes(t *testing.T, p packet) bool {
	t.Helper()
	const drop, pass = 1, 2
	verdict, err := g.objects.SluiceGuard.Run(&ebpf.RunOptions{Data: p.frame()})
	if err != nil {
		t.Fatal(err)
	}
	if verdict != drop && verdict != pass {
		t.Fatalf("verdict %d", verdict)
	}
	return verdict == pass
}

// extension is one of a number of bytes that is a multiple of 8, without its first byte.
func extension(size int) []byte {
	b := make([]byte, size-1)
	b[0] = byte(size/8 - 1)
	return b
}

func TestGuardReadsPackets(t *testing.T) {
	later := make([]byte, 7)
	binary.BigEndian.PutUint16(later[1:], 100<<3)
	for _, test := range []struct {
		name   string
		packet packet
		seen   bool // as a SYN: the second one is dropped
		opaque bool
	}{
		{"IPv4", packet{source: "192.0.2.1", flags: syn}, true, false},
		{"IPv4, options", packet{source: "192.0.2.1", options: 40, flags: syn}, true, false},
		{"IPv4, VLAN", packet{source: "192.0.2.1", vlans: 1, flags: syn}, true, false},
		{"IPv4, two VLANs", packet{source: "192.0.2.1", vlans: 2, flags: syn}, true, false},
		{"IPv4, three VLANs", packet{source: "192.0.2.1", vlans: 3, flags: syn}, false, false},
		{"IPv4, first fragment", packet{source: "192.0.2.1", fragment: 0x2000, flags: syn}, true, false},
		{"IPv4, later fragment", packet{source: "192.0.2.1", fragment: 0x2010, flags: syn}, false, false},
		{"IPv4, SYN and ACK", packet{source: "192.0.2.1", flags: syn | ack}, false, false},
		{"IPv4, ACK", packet{source: "192.0.2.1", flags: ack}, false, false},
		{"IPv4, UDP", packet{source: "192.0.2.1", protocol: 17, flags: syn}, false, false},
		{"IPv4, cut in IP", packet{source: "192.0.2.1", flags: syn, cut: 30}, false, true},
		{"IPv4, cut in TCP", packet{source: "192.0.2.1", flags: syn, cut: 40}, false, true},
		{"IPv6", packet{source: "2001:db8::1", flags: syn}, true, false},
		{"IPv6, VLAN", packet{source: "2001:db8::1", vlans: 2, flags: syn}, true, false},
		{"IPv6, extensions", packet{source: "2001:db8::1", headers: [][]byte{extension(8), extension(24), extension(16)}, types: []byte{0, 60, 43}, flags: syn}, true, false},
		{"IPv6, first fragment", packet{source: "2001:db8::1", headers: [][]byte{make([]byte, 7)}, types: []byte{44}, flags: syn}, true, false},
		{"IPv6, later fragment", packet{source: "2001:db8::1", headers: [][]byte{later}, types: []byte{44}, flags: syn}, false, false},
		{"IPv6, too many extensions", packet{source: "2001:db8::1", headers: [][]byte{extension(8), extension(8), extension(8), extension(8), extension(8), extension(8), extension(8)},
			types: []byte{60, 60, 60, 60, 60, 60, 60}, flags: syn}, false, true},
		{"IPv6, encrypted", packet{source: "2001:db8::1", protocol: 50, flags: syn}, false, false},
		{"IPv6, cut in IP", packet{source: "2001:db8::1", flags: syn, cut: 50}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := openGuard(t, GuardOptions{SourceRate: 1, SourceBurst: 1})
			first, second := g.passes(t, test.packet), g.passes(t, test.packet)
			if !first || second == test.seen {
				t.Errorf("passed %v, and again %v", first, second)
			}
			want := GuardCounts{}
			if test.seen {
				want.SYNs, want.SourceRate = 2, 1
			}
			if test.opaque {
				want.Opaque = 2
			}
			if got, err := g.Counts(); err != nil || got != want {
				t.Errorf("%+v, want %+v; %v", got, want, err)
			}
		})
	}
}

func TestGuardDenies(t *testing.T) {
	g := openGuard(t, GuardOptions{Denied: 4})
	check := func(source string, want bool) {
		t.Helper()
		if got := g.passes(t, packet{source: source, flags: ack}); got != want {
			t.Errorf("%s passes: %v", source, got)
		}
	}
	check("192.0.2.1", true)
	for _, p := range []string{"192.0.2.0/24", "2001:db8:1::/48", "::ffff:198.51.100.7/128"} {
		if err := g.Deny(netip.MustParsePrefix(p)); err != nil {
			t.Fatal(err)
		}
	}
	check("192.0.2.1", false)
	check("192.0.3.1", true)
	check("198.51.100.7", false)
	check("198.51.100.8", true)
	check("2001:db8:1::5", false)
	check("2001:db8:2::5", true)
	if found, err := g.Allow(netip.MustParsePrefix("192.0.2.9/24")); !found || err != nil {
		t.Error(found, err)
	}
	check("192.0.2.1", true)
	if found, _ := g.Allow(netip.MustParsePrefix("192.0.2.0/24")); found {
		t.Error("found again")
	}
	// All of IPv6 is nothing of IPv4.
	if err := g.Deny(netip.MustParsePrefix("::/0")); err != nil {
		t.Fatal(err)
	}
	check("192.0.2.1", true)
	check("2001:db8:2::5", false)
	g.Deny(netip.MustParsePrefix("203.0.113.0/24"))
	if err := g.Deny(netip.MustParsePrefix("203.0.114.0/24")); !errors.Is(err, ErrGuardFull) {
		t.Error(err)
	}
	if n := len(g.Denied()); n != 4 {
		t.Error(n, "on the list")
	}
}

// A prefix has a rate of its own, beside that of each source in it.
func TestGuardLimitsPrefixes(t *testing.T) {
	g := openGuard(t, GuardOptions{SourceRate: 1, SourceBurst: 2, PrefixRate: 1, PrefixBurst: 3})
	var got []bool
	for _, source := range []string{"192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.3.1"} {
		got = append(got, g.passes(t, packet{source: source, flags: syn}))
	}
	want := []bool{true, true, false, true, false, true}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	c, _ := g.Counts()
	if (c != GuardCounts{SourceRate: 1, PrefixRate: 1, SYNs: 6}) {
		t.Errorf("%+v", c)
	}
}

func TestGuardIsMissing(t *testing.T) {
	_, err := OpenGuard(GuardOptions{Load: func(*ebpf.CollectionSpec, any, *ebpf.CollectionOptions) error { return errors.New("no") }})
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
}

// A second guard takes the first one's place, and stays when that one goes.
func TestGuardIsReplaced(t *testing.T) {
	inNamespace(t)
	one, two := openGuard(t, GuardOptions{}), openGuard(t, GuardOptions{})
	if mode, err := one.Attach("lo", GuardAuto); err != nil || mode != GuardGeneric {
		t.Fatal(mode, err)
	}
	if mode, err := two.Attach("lo", GuardAuto); err != nil || mode != "replaced" {
		t.Fatal(mode, err)
	}
	one.Close()
	if l, err := guardOn(1); l == nil {
		t.Error("nothing is there after the first one's end: ", err)
	} else {
		l.Close()
	}
	two.Close()
	if l, err := guardOn(1); l != nil || err != nil {
		t.Error("after the end of both: ", l, err)
	}
	if _, err := two.Attach("no-such-interface", GuardAuto); err == nil {
		t.Error("no error")
	}
}

// Interfaces of different namespaces have the same numbers: a guard of one namespace leaves that of another one alone.
func TestGuardsOfNamespaces(t *testing.T) {
	t.Run("first", func(t *testing.T) {
		inNamespace(t)
		if mode, err := openGuard(t, GuardOptions{}).Attach("lo", GuardAuto); err != nil || mode != GuardGeneric {
			t.Fatal(mode, err)
		}
		t.Run("second", func(t *testing.T) { // on a thread of its own
			inNamespace(t)
			if mode, err := openGuard(t, GuardOptions{}).Attach("lo", GuardAuto); err != nil || mode != GuardGeneric {
				t.Error(mode, err)
			}
		})
	})
}

// What a packet costs: benign bytes of a connection, without and with a deny list of 10,000 prefixes, and a SYN within its rates.
func BenchmarkGuard(b *testing.B) {
	for _, bench := range []struct {
		name   string
		denied int
		flags  byte
	}{{"data", 0, ack}, {"data, list", 10_000, ack}, {"SYN, list", 10_000, syn}} {
		b.Run(bench.name, func(b *testing.B) {
			g, err := OpenGuard(GuardOptions{SourceRate: 100_000_000, SourceBurst: 1000, PrefixRate: 100_000_000, PrefixBurst: 1000})
			available(b, err)
			defer g.Close()
			for i := range bench.denied {
				g.Deny(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24))
			}
			_, took, err := g.objects.SluiceGuard.Benchmark(packet{source: "192.0.2.1", flags: bench.flags}.frame(), b.N, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(took.Nanoseconds()), "ns/packet")
		})
	}
}
