package ebpf

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func rule(prefix string, first, last uint16, target int) Rule {
	return Rule{netip.MustParsePrefix(prefix), first, last, target}
}

// slowly finds a target by looking at every rule. false: none covers it.
func slowly(rules []Rule, addr netip.Addr, port uint16) (int, bool) {
	best := -1
	for i, r := range rules {
		if !r.Prefix.Contains(addr) || port < r.First || port > r.Last {
			continue
		}
		if best < 0 || r.Prefix.Bits() > rules[best].Prefix.Bits() ||
			r.Prefix.Bits() == rules[best].Prefix.Bits() && r.width() < rules[best].width() {
			best = i
		}
	}
	if best < 0 {
		return 0, false
	}
	return rules[best].Target, true
}

// find searches the tables as the program does.
func (t *tables) find(addr netip.Addr, port uint16) (int, bool) {
	for i := len(t.prefixes) - 1; i >= 0; i-- { // the longer ones first
		if !t.prefixes[i].Contains(addr) {
			continue
		}
		for _, r := range t.ranges[t.spans[i].First:][:t.spans[i].Count] {
			if r.Low <= port && port <= r.High {
				return int(int32(r.Target)), true
			}
		}
		return 0, false
	}
	return 0, false
}

func TestCompile(t *testing.T) {
	rules := []Rule{
		rule("198.51.100.0/24", 443, 443, 0),
		rule("198.51.100.0/24", 1, 65535, 1),
		rule("198.51.100.128/25", 80, 90, 2),
		rule("198.51.100.130/32", 443, 443, PassTarget),
		rule("203.0.113.0/24", 443, 443, 0),
		rule("2001:db8::/64", 0, 65535, 3),
		rule("2001:db8::1/128", 22, 22, RefuseTarget),
	}
	tables, err := compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		addr string
		port uint16
		want int // -9: none
	}{
		{"198.51.100.7", 443, 0}, {"198.51.100.7", 442, 1}, {"198.51.100.7", 444, 1}, {"198.51.100.7", 65535, 1}, {"198.51.100.7", 0, -9},
		{"198.51.100.129", 80, 2}, {"198.51.100.129", 91, 1}, {"198.51.100.129", 443, 0}, {"198.51.100.130", 443, PassTarget},
		{"198.51.100.130", 85, 2}, {"198.51.101.1", 443, -9}, {"203.0.113.1", 443, 0}, {"203.0.113.1", 80, -9},
		{"2001:db8::5", 22, 3}, {"2001:db8::1", 22, RefuseTarget}, {"2001:db8::1", 23, 3}, {"2001:db8:1::", 23, -9},
	} {
		got, found := tables.find(netip.MustParseAddr(x.addr), x.port)
		if !found {
			got = -9
		}
		if got != x.want {
			t.Errorf("%s port %d: %d, want %d", x.addr, x.port, got, x.want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for _, x := range []struct {
		rules []Rule
		want  string
	}{
		{[]Rule{rule("192.0.2.0/24", 1, 10, 0), rule("192.0.2.0/24", 5, 14, 1)}, "ports 1-10 and 5-14 overlap"},
		{[]Rule{rule("192.0.2.0/24", 443, 443, 0), rule("192.0.2.0/24", 443, 443, 1)}, "overlap"},
		{[]Rule{rule("192.0.2.0/24", 2, 1, 0)}, "no rule"},
		{[]Rule{{}}, "no rule"},
	} {
		if _, err := compile(x.rules); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v: %v, want %q", x.rules, err, x.want)
		}
	}
	if _, err := compile([]Rule{rule("192.0.2.0/24", 443, 443, 1), rule("192.0.2.0/24", 443, 443, 1)}); err != nil {
		t.Errorf("the same rule twice: %v", err)
	}
}

// randomRules makes rules with much overlap, and none that compile refuses.
func randomRules(random *rand.Rand, n int) []Rule {
	var rules []Rule
	for len(rules) < n {
		bits := []int{0, 8, 16, 20, 24, 28, 32}[random.IntN(7)]
		addr := netip.AddrFrom4([4]byte{10, byte(random.IntN(2)), byte(random.IntN(4)), byte(random.IntN(256))})
		if random.IntN(3) == 0 {
			bits *= 4
			raw := netip.MustParseAddr("2001:db8::").As16()
			raw[5], raw[7], raw[15] = byte(random.IntN(2)), byte(random.IntN(3)), byte(random.IntN(4))
			addr = netip.AddrFrom16(raw)
		}
		first := random.IntN(100)
		candidate := append(rules, Rule{netip.PrefixFrom(addr, bits).Masked(), uint16(first), uint16(first + random.IntN(60)), random.IntN(50) - 2})
		if _, err := compile(candidate); err == nil {
			rules = candidate
		}
	}
	return rules
}

// The tables find what looking at every rule finds.
func TestCompileAgainstTheSlowWay(t *testing.T) {
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 7))
		rules := randomRules(random, 40)
		tables, err := compile(rules)
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			r := rules[random.IntN(len(rules))]
			addr, port := near(random, r.Prefix), uint16(random.IntN(170))
			got, found := tables.find(addr, port)
			want, should := slowly(rules, addr, port)
			if got != want || found != should {
				t.Fatalf("seed %d, %v port %d: %d %v, want %d %v\n%v", seed, addr, port, got, found, want, should, rules)
			}
		}
	}
}

// near is an address within a prefix, or close to it.
func near(random *rand.Rand, p netip.Prefix) netip.Addr {
	raw := p.Addr().AsSlice()
	for i := max(p.Bits()/8-1, 0); i < len(raw); i++ {
		if random.IntN(3) == 0 {
			raw[i] ^= byte(random.IntN(4))
		}
	}
	addr, _ := netip.AddrFromSlice(raw)
	return addr
}

// manyRules are n prefixes of both families, each on a port and on a range.
func manyRules(n int) []Rule {
	rules := make([]Rule, 0, 2*n)
	for i := range n {
		p := fmt.Sprintf("10.%d.%d.0/24", i/2>>8, i/2&255)
		if i%2 == 1 {
			p = fmt.Sprintf("2001:db8:%x::/48", i/2)
		}
		rules = append(rules, rule(p, 443, 443, i%8), rule(p, 8000, 8099, 8+i%8))
	}
	return rules
}

func BenchmarkCompileTenThousand(b *testing.B) {
	rules := manyRules(10000)
	for b.Loop() {
		if _, err := compile(rules); err != nil {
			b.Fatal(err)
		}
	}
}
