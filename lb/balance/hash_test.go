package balance

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

// What HAProxy 2.6.12 did: 11 servers of weight 1, "hash-type map-based <function>", and a client on loopback that bound
// each of these sources in turn. The servers answered with their number.
var observedSources = [][4]byte{
	{127, 0, 0, 1}, {127, 0, 0, 2}, {127, 0, 0, 3}, {127, 0, 0, 4}, {127, 0, 0, 5}, {127, 0, 0, 128}, {127, 0, 0, 200},
	{127, 0, 0, 255}, {127, 0, 1, 1}, {127, 0, 1, 2}, {127, 0, 7, 9}, {127, 0, 200, 200}, {127, 0, 255, 1}, {127, 0, 130, 77},
}

// Its avalanche is not among these: it is none of the functions on the page of the author whom the manual names.
func TestSameServerAsHAProxy(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Options
		want []int
	}{
		{"balance source, whatever the function", Options{Kind: Source, Function: DJB2}, []int{9, 10, 0, 1, 2, 4, 10, 10, 1, 2, 5, 5, 4, 2}},
		{"balance hash src, sdbm", Options{Kind: Hash}, []int{6, 7, 8, 9, 10, 1, 7, 7, 1, 2, 1, 8, 7, 4}},
		{"balance hash src, djb2", Options{Kind: Hash, Function: DJB2}, []int{8, 9, 10, 0, 1, 3, 9, 9, 8, 9, 5, 9, 8, 7}},
		{"balance hash src, crc32", Options{Kind: Hash, Function: CRC32}, []int{0, 1, 9, 8, 2, 6, 8, 1, 8, 10, 4, 4, 9, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := must(t, c.o, equal(11, 1), nil)
			for k, source := range observedSources {
				if got := a.Choose(c.o.Key(source[:]), -1); got != c.want[k] {
					t.Errorf("source %v: server %d, HAProxy chose %d", source, got, c.want[k])
				}
			}
		})
	}
}

// The same with IPv6 sources, in a network namespace of their own.
func TestSameServerAsHAProxyIPv6(t *testing.T) {
	for _, c := range []struct {
		source       string
		folded, sdbm int
	}{
		{"fd00:1:2:3::1", 10, 3}, {"fd00:1:2:3::2", 7, 4}, {"fd12:3456:789a:bcde:f012:3456:789a:bcde", 10, 2},
		{"2001:db8::7", 3, 3}, {"::1", 1, 1},
	} {
		bytes := netip.MustParseAddr(c.source).As16()
		for _, o := range []Options{{Kind: Source}, {Kind: Hash}} {
			want := c.folded
			if o.Kind == Hash {
				want = c.sdbm
			}
			if got := must(t, o, equal(11, 1), nil).Choose(o.Key(bytes[:]), -1); got != want {
				t.Errorf("kind %d, source %s: server %d, HAProxy chose %d", o.Kind, c.source, got, want)
			}
		}
	}
}

// The vectors are the published ones of each function, or computed by hand for one byte.
func TestHashVectors(t *testing.T) {
	for _, c := range []struct {
		f    Function
		data string
		want uint32
	}{
		{SDBM, "", 0}, {SDBM, "a", 97}, {SDBM, "ab", 97*65599 + 98},
		{DJB2, "", 5381}, {DJB2, "a", 5381*33 + 97},
		{CRC32, "123456789", 0xcbf43926},
		{XXHash, "", 0x02cc5d05}, {XXHash, "a", 0x550d7456}, {XXHash, "abc", 0x32d153ff},
		{XXHash, "Nobody inspects the spammish repetition", 0xe2293b2f},
		{None, "\x7f\x00\x00\x01", 0x7f000001}, {None, "\x01\x02", 0x0102},
		{None, "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 0x20010db9},
	} {
		if got := HashBytes(c.f, false, []byte(c.data)); got != c.want {
			t.Errorf("function %d of %q = %#x, want %#x", c.f, c.data, got, c.want)
		}
	}
}

// Every function must tell the addresses of a subnet apart.
func TestHashSpreads(t *testing.T) {
	for f := SDBM; f <= None; f++ {
		seen := map[uint32]bool{}
		var data [4]byte
		for n := range uint32(1 << 12) {
			binary.BigEndian.PutUint32(data[:], 0x0a000000+n)
			seen[HashBytes(f, true, data[:])] = true
		}
		least := 1<<12 - 64
		if f == DJB2 {
			least = 15*33 + 255 + 1 // all that two last bytes can make of it: collisions come before the avalanche
		}
		if len(seen) < least {
			t.Errorf("function %d: %d different hashes of %d addresses", f, len(seen), 1<<12)
		}
	}
	if HashBytes(WT6, false, []byte("ab")) == HashBytes(WT6, false, []byte("ba")) {
		t.Error("wt6 does not see the order of bytes")
	}
}
