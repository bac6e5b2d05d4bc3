package lb

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/poller"
)

func TestInitialAddress(t *testing.T) {
	none := poller.Addr{}
	at := func(text string) poller.Addr { return poller.IP(netip.MustParseAddrPort(text)) }
	for _, test := range []struct {
		name      string
		methods   string
		host      string
		resolvers string
		last      string
		want      poller.Addr
		problem   string // a part of the error
		warned    bool
	}{
		{"a literal", "", "10.0.0.1", "", "", at("10.0.0.1:80"), "", false},
		{"libc by default", "", "localhost", "", "", at("127.0.0.1:80"), "", false},
		{"last before libc", "", "localhost", "", "10.0.0.7", at("10.0.0.7:80"), "", false},
		{"libc before last", "libc,last", "localhost", "", "10.0.0.7", at("127.0.0.1:80"), "", false},
		{"unknown to libc", "", "no.such.invalid", "", "", none, "cannot resolve 'no.such.invalid'", false},
		{"unknown to libc, but there are name servers", "", "no.such.invalid", "R", "", none, "", true},
		{"none after libc", "libc,none", "no.such.invalid", "", "", none, "", true},
		{"none at once", "none", "localhost", "R", "", none, "", false},
		{"an address at the end", "libc,10.0.0.8", "no.such.invalid", "", "", at("10.0.0.8:80"), "", false},
		{"last alone, and there is none", "last", "localhost", "", "", none, "no method found to resolve address 'localhost'", false},
		{"a service", "libc", "_a._tcp.test", "R", "10.0.0.7", none, "", false},
	} {
		warned := false
		n := initialNames{warn: func(config.Pos, string) { warned = true }}
		if test.last != "" {
			n.last = func(*config.Proxy, *config.Server) (netip.Addr, bool) { return netip.MustParseAddr(test.last), true }
		}
		s := &config.Server{Name: "s", Resolvers: test.resolvers, Address: config.Address{Host: test.host, Port: 80}}
		s.Address.IP, _ = netip.ParseAddr(test.host)
		if test.methods != "" {
			s.InitAddr = strings.Split(test.methods, ",")
		}
		got, err := n.address(&config.Proxy{Name: "b"}, s)
		switch {
		case test.problem == "" && err != nil, test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: error %v, want %q", test.name, err, test.problem)
		case got != test.want || warned != test.warned:
			t.Errorf("%s: %v, warned %v; want %v, %v", test.name, got, warned, test.want, test.warned)
		}
	}
}
