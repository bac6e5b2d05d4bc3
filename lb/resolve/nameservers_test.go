package resolve

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/sluice-lb/sluice/lb/config"
)

func TestNameServers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	text := "search example.test\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nnameserver 192.0.2.53\nnameserver nonsense\noptions edns0\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	own := []config.NameServer{
		{Name: "ns1", Address: config.Address{IP: netip.MustParseAddr("192.0.2.1")}},
		{Name: "ns2", Address: config.Address{IP: netip.MustParseAddr("::1"), Port: 5353}, TCP: true},
	}
	got, err := nameServers(&config.Resolvers{NameServers: own, ParseResolvConf: true}, Options{ResolvConf: file})
	if err != nil {
		t.Fatal(err)
	}
	want := []endpoint{
		{"ns1", netip.MustParseAddrPort("192.0.2.1:53"), false}, {"ns2", netip.MustParseAddrPort("[::1]:5353"), true},
		{"192.0.2.53", netip.MustParseAddrPort("192.0.2.53:53"), false}, {"2001:db8::53", netip.MustParseAddrPort("[2001:db8::53]:53"), false},
	}
	if len(got) != len(want) {
		t.Fatalf("%v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
}

// A file that is not there is a complaint, unless nobody asked for it.
func TestResolvConfMissing(t *testing.T) {
	c := &config.Resolvers{Name: "default", ParseResolvConf: true, Pos: config.Pos{File: "f", Line: 3}}
	_, err := New([]*config.Resolvers{c}, Options{ResolvConf: "/nonexistent/resolv.conf"})
	var placed *Error
	if !errors.As(err, &placed) || placed.Pos.Line != 3 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	c.Implicit = true
	if _, err := New([]*config.Resolvers{c}, Options{ResolvConf: "/nonexistent/resolv.conf"}); err != nil {
		t.Error(err)
	}
}

func TestNameServerWithoutAddress(t *testing.T) {
	c := &config.Resolvers{Name: "R", NameServers: []config.NameServer{{Name: "ns1", Pos: config.Pos{File: "f", Line: 7}}}}
	_, err := New([]*config.Resolvers{c}, Options{})
	if err == nil || err.Error() != "[f:7] : nameserver 'ns1' has no address" {
		t.Errorf("%v", err)
	}
}

func TestDescriptors(t *testing.T) {
	c := &config.Resolvers{NameServers: make([]config.NameServer, 2)}
	if got := Descriptors(c); got != 2*(maxSockets+2) {
		t.Errorf("two name servers: %d", got)
	}
	c.ParseResolvConf = true
	if got := Descriptors(c); got != 5*(maxSockets+2) {
		t.Errorf("with the system's: %d", got)
	}
}
