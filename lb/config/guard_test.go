package config

import (
	"reflect"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	for _, test := range []struct {
		line string
		want *Guard
		told string
	}{
		{"interface eth0", &Guard{Interfaces: []string{"eth0"}, Mode: "auto"}, ""},
		{"interface eth0,eth1 mode generic deny-file /etc/deny syn-rate 10 syn-burst 20 prefix-syn-rate 100 prefix-syn-burst 5 prefix-ipv4 28 prefix-ipv6 56",
			&Guard{Interfaces: []string{"eth0", "eth1"}, Mode: "generic", DenyFile: "/etc/deny", SourceRate: 10, SourceBurst: 20, PrefixRate: 100, PrefixBurst: 5, Prefix4: 28, Prefix6: 56}, ""},
		{"syn-rate 5", nil, "'interface'"},
		{"interface eth0,", nil, "no name of an interface"},
		{"interface eth0 syn-burst 5", nil, "a burst without its rate"},
		{"interface eth0 syn-rate", nil, "a value behind 'syn-rate'"},
		{"interface eth0 syn-rates 5", nil, "syn-rate"},
		{"interface eth0 mode fast", nil, "one of 'auto', 'native', 'generic'"},
		{"interface eth0 syn-rate 0", nil, "1"},
		{"interface eth0\n ebpf-guard interface eth1", nil, "there already, at guard:2"},
	} {
		c, diagnostics := load("guard", "global\n ebpf-guard "+test.line+"\n")
		if test.want == nil {
			if c != nil || len(diagnostics) != 1 || !strings.Contains(diagnostics[0].Text, test.told) {
				t.Errorf("%q: want %q, got:\n%s", test.line, test.told, complaints(diagnostics))
			}
			continue
		}
		if c == nil {
			t.Errorf("%q:\n%s", test.line, complaints(diagnostics))
			continue
		}
		got := *c.Global.EBPFGuard
		got.Pos = Pos{}
		if !reflect.DeepEqual(got, *test.want) {
			t.Errorf("%q: %+v", test.line, got)
		}
	}
}
