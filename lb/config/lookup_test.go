package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestPrefixAddresses(t *testing.T) {
	o := AddressOptions{AllowPort: true, RequirePort: true, AllowRange: true, AllowUnix: true, AllowPrefix: true}
	four, six := netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/64")
	for _, x := range []struct {
		text string
		want Address
		back string
	}{
		{"198.51.100.0/24:443", Address{Host: "198.51.100.0", IP: four.Addr(), Prefix: four, Port: 443, PortEnd: 443}, ""},
		{"198.51.100.0/24:1-9", Address{Host: "198.51.100.0", IP: four.Addr(), Prefix: four, Port: 1, PortEnd: 9}, ""},
		{"ipv4@198.51.100.0/24:1", Address{Family: IPv4, Host: "198.51.100.0", IP: four.Addr(), Prefix: four, Port: 1, PortEnd: 1}, ""},
		{"198.51.100.0/24:*", Address{Host: "198.51.100.0", IP: four.Addr(), Prefix: four, Port: 1, PortEnd: 65535}, "198.51.100.0/24:1-65535"},
		{"[2001:db8::]/64:443", Address{Host: "2001:db8::", IP: six.Addr(), Prefix: six, Port: 443, PortEnd: 443}, ""},
		{"2001:db8::/64:443", Address{Host: "2001:db8::", IP: six.Addr(), Prefix: six, Port: 443, PortEnd: 443}, "[2001:db8::]/64:443"},
		{"0.0.0.0/0:443", Address{Host: "0.0.0.0", IP: netip.IPv4Unspecified(), Prefix: netip.MustParsePrefix("0.0.0.0/0"), Port: 443, PortEnd: 443}, ""},
		{"198.51.100.10:*", Address{Host: "198.51.100.10", IP: netip.MustParseAddr("198.51.100.10"), Port: 1, PortEnd: 65535}, "198.51.100.10:1-65535"},
	} {
		got, err := ParseAddress(x.text, o)
		if err != nil || got != x.want {
			t.Errorf("%s: %+v %v, want %+v", x.text, got, err, x.want)
			continue
		}
		back := x.back
		if back == "" {
			back = x.text
		}
		if got.String() != back {
			t.Errorf("%s: written as %s, want %s", x.text, got.String(), back)
		}
		if again, err := ParseAddress(got.String(), o); again != got {
			t.Errorf("%s: read back as %+v %v", x.text, again, err)
		}
	}
	for text, want := range map[string]string{
		"198.51.100.5/24:443": "the prefix is 198.51.100.0/24", "198.51.100.0/33:443": "not the length of a prefix", "198.51.100.0/:443": "not the length",
		"[2001:db8::]/129:1": "from 0 to 128", "[2001:db8::]/64": "port is missing", "name/24:80": "only an address", "*/0:80": "only an address",
		"*:*": "name an address", ":*": "name an address", "name:*": "name an address", "0.0.0.0:*": "name an address", "198.51.100.0/24:+1": "offset",
		"[2001:db8::]/64/3:1": "not the length", "198.51.100.0/24": "port is missing",
	} {
		if a, err := ParseAddress(text, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v %v, want %q", text, a, err, want)
		}
	}
	for _, text := range []string{"198.51.100.0/24:443", "[2001:db8::]/64:443", "198.51.100.1:*"} {
		if a, err := ParseAddress(text, AddressOptions{AllowPort: true, AllowRange: true}); err == nil {
			t.Errorf("%s where no prefix may stand: %+v", text, a)
		}
	}
}

// Prefixes and large ranges of a line are one listener for each family, and the rest has its own.
func TestLookupBinds(t *testing.T) {
	c := accepted(t, `
listen l
 bind 198.51.100.0/24:443,203.0.113.0/24:443,192.0.2.1:80-82,[2001:db8::]/64:*,192.0.2.9:2000-4000 name all
 bind 192.0.2.2:2000-2999
 bind :3000-4500
 timeout client 1s
 timeout server 1s
 timeout connect 1s
 server s 127.0.0.1:1
`)
	p := proxyNamed(t, c, "l")
	var got []string
	plain := 0
	for _, b := range p.Binds {
		if len(b.Lookup) == 0 {
			plain++
			continue
		}
		words := ""
		for _, a := range b.Lookup {
			words += " " + a.String()
		}
		got = append(got, b.Name+words)
		if b.Address != b.Lookup[0] {
			t.Errorf("the first address is %v, want %v", b.Address, b.Lookup[0])
		}
	}
	want := []string{"all 198.51.100.0/24:443 203.0.113.0/24:443 192.0.2.9:2000-4000", "all [2001:db8::]/64:1-65535"}
	if fmt.Sprint(got) != fmt.Sprint(want) || plain != 3+1000+1501 {
		t.Errorf("%q and %d single ones, want %q", got, plain, want)
	}
}

// Overlaps are told: those that cannot be settled are errors.
func TestLookupOverlaps(t *testing.T) {
	for _, x := range []struct {
		name  string
		lines string // binds of a and of b
		want  []string
	}{
		{"apart", "bind 198.51.100.0/24:443|bind 198.51.100.0/24:444", nil},
		{"the same", "bind 198.51.100.0/24:443|bind 198.51.100.0/24:443", []string{"ALERT 9 '198.51.100.0/24:443' is already 198.51.100.0/24:443 of 'a' at text:3"}},
		{"twice on one line", "bind 198.51.100.0/24:443,198.51.100.0/24:443|", []string{"ALERT 3 '198.51.100.0/24:443' is already"}},
		{"across", "bind 198.51.100.0/24:1-10|bind 198.51.100.0/24:5-14", []string{"ALERT 9 '198.51.100.0/24:5-14' and 198.51.100.0/24:1-10 of 'a' at text:3 overlap"}},
		{"narrower range", "bind 198.51.100.0/24:1-100|bind 198.51.100.0/24:50", []string{"NOTICE 9 '198.51.100.0/24:50' takes precedence over 198.51.100.0/24:1-100 of 'a' at text:3"}},
		{"longer prefix", "bind 198.51.100.128/25:443|bind 198.51.100.0/24:*", []string{"NOTICE 3 '198.51.100.128/25:443' takes precedence over 198.51.100.0/24:1-65535 of 'b' at text:9"}},
		{"an address of its own", "bind 198.51.100.7:443|bind 198.51.100.0/24:443", []string{"NOTICE 3 '198.51.100.7:443' takes precedence"}},
		{"the same address", "bind 198.51.100.7:443|bind 198.51.100.7/32:443", []string{"ALERT 9 '198.51.100.7/32:443' is already 198.51.100.7:443"}},
		{"two ordinary ones", "bind 198.51.100.7:443|bind 198.51.100.7:443", nil},
		{"everything else", "bind :443|bind 198.51.100.0/24:443", nil},
		{"one line on its own", "bind 198.51.100.0/24:443,198.51.0.0/16:443|", nil},
		{"IPv6 and IPv4", "bind 0.0.0.0/0:443|bind [::]/0:443", nil},
		{"an interface", "bind 198.51.100.0/24:443 interface eth0|", []string{"ALERT 3 'interface' does not go with"}},
	} {
		a, b, _ := strings.Cut(x.lines, "|")
		rest := " timeout client 1s\n timeout server 1s\n server s 127.0.0.1:1\n timeout connect 1s\n"
		text := "\nlisten a\n " + a + "\n" + rest
		if b != "" {
			text += "listen b\n " + b + "\n" + rest
		}
		_, found := load("text", text)
		var got []string
		for _, d := range found {
			if d.Severity == Alert || d.Severity == Notice {
				got = append(got, fmt.Sprintf("%s %d %s", map[Severity]string{Alert: "ALERT", Notice: "NOTICE"}[d.Severity], d.Pos.Line, d.Text))
			}
		}
		ok := len(got) == len(x.want)
		for i := range x.want {
			ok = ok && strings.HasPrefix(got[i], x.want[i])
		}
		if !ok {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
	}
}

// Ten thousand prefixes are looked through in time.
func TestManyPrefixes(t *testing.T) {
	var text strings.Builder
	text.WriteString("listen l\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n server s 127.0.0.1:1\n")
	for i := range 100 {
		text.WriteString(" bind ")
		for j := range 100 {
			if j > 0 {
				text.WriteByte(',')
			}
			fmt.Fprintf(&text, "10.%d.%d.0/24:443", i, j)
		}
		text.WriteByte('\n')
	}
	began := time.Now()
	c := accepted(t, text.String())
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it takes %v", took)
	}
	if n := len(proxyNamed(t, c, "l").Binds); n != 100 {
		t.Errorf("%d listeners, want one for each line", n)
	}
}
