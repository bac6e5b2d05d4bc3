package lb

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/lb/config"
)

func addresses(text string) []netip.Addr {
	var all []netip.Addr
	for _, word := range strings.Fields(text) {
		all = append(all, netip.MustParseAddr(word))
	}
	return all
}

func TestChooseAddress(t *testing.T) {
	for _, test := range []struct {
		name           string
		prefer         string
		networks       string
		duplicates     bool
		current, taken string
		answer, want   string
	}{
		{"the first", "ipv4", "", false, "", "", "10.0.0.1 10.0.0.2", "10.0.0.1"},
		{"its own, wherever it stands", "ipv4", "", false, "10.0.0.2", "", "10.0.0.1 10.0.0.2", "10.0.0.2"},
		{"another's is not for it", "ipv4", "", false, "", "10.0.0.1", "10.0.0.1 10.0.0.2", "10.0.0.2"},
		{"nothing is left", "ipv4", "", false, "", "10.0.0.1", "10.0.0.1", ""},
		{"duplicates are allowed", "ipv4", "", true, "", "10.0.0.1", "10.0.0.1", "10.0.0.1"},
		{"and not sought", "ipv4", "", true, "", "10.0.0.1", "10.0.0.1 10.0.0.2", "10.0.0.2"},
		{"away from a duplicate", "ipv4", "", true, "10.0.0.1", "10.0.0.1", "10.0.0.1 10.0.0.2", "10.0.0.2"},
		{"its own is gone", "ipv4", "", false, "10.0.0.9", "", "10.0.0.1 10.0.0.2", "10.0.0.1"},
		{"the preferred family", "ipv6", "", false, "10.0.0.1", "", "10.0.0.1 2001:db8::1", "2001:db8::1"},
		{"the other family if there is no other", "ipv6", "", false, "", "", "10.0.0.1", "10.0.0.1"},
		{"the preferred network", "ipv4", "192.168.0.0/16 10.1.0.0/16", false, "10.0.0.1", "", "10.0.0.1 10.1.0.1 10.0.0.2", "10.1.0.1"},
		{"any of them", "ipv4", "192.168.0.0/16 10.1.0.0/16", false, "", "", "10.0.0.1 10.1.0.1 192.168.0.1", "10.1.0.1"},
		{"the family before the network", "ipv6", "10.0.0.0/8", false, "", "", "10.0.0.1 2001:db8::1", "2001:db8::1"},
		{"the network before a free one", "ipv4", "10.1.0.0/16", true, "", "10.1.0.1", "10.0.0.1 10.1.0.1", "10.1.0.1"},
		{"an empty answer", "ipv4", "", false, "10.0.0.1", "", "", ""},
	} {
		options := config.Resolve{Prefer: test.prefer, AllowDup: test.duplicates}
		for _, n := range strings.Fields(test.networks) {
			options.Networks = append(options.Networks, netip.MustParsePrefix(n))
		}
		var current netip.Addr
		if test.current != "" {
			current = netip.MustParseAddr(test.current)
		}
		taken := addresses(test.taken)
		got := chooseAddress(options, current, addresses(test.answer), func(a netip.Addr) bool { return slices.Contains(taken, a) })
		text := ""
		if got.IsValid() {
			text = got.String()
		}
		if text != test.want {
			t.Errorf("%s: got %q, want %q", test.name, text, test.want)
		}
	}
}

// As the binary of HAProxy 2.6 scales them.
func TestServiceWeight(t *testing.T) {
	for weight, want := range map[uint16]int{0: 0, 1: 1, 255: 1, 256: 1, 257: 2, 511: 2, 512: 2, 1000: 4, 65279: 255, 65280: 255, 65534: 256, 65535: 256} {
		if got := serviceWeight(weight); got != want {
			t.Errorf("%d: %d, want %d", weight, got, want)
		}
	}
}
