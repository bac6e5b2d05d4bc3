package config

import (
	"net/netip"
	"strings"
	"testing"
)

// What the keywords take.
var (
	bindAddress   = AddressOptions{AllowPort: true, RequirePort: true, AllowRange: true, AllowInherited: true, AllowUnix: true}
	serverAddress = AddressOptions{AllowPort: true, AllowOffset: true, AllowUnix: true}
	anyAddress    = AddressOptions{AllowPort: true, AllowRange: true, AllowOffset: true, AllowInherited: true, AllowUnix: true}
)

func TestParseAddress(t *testing.T) {
	any4, any6 := netip.IPv4Unspecified(), netip.IPv6Unspecified()
	ip := netip.MustParseAddr
	long := strings.Repeat("x", 106)
	tests := []struct {
		text string
		o    AddressOptions
		want Address
		back string // what String gives, where it differs from text
	}{
		{":", anyAddress, Address{IP: any4}, "*"},
		{"*", serverAddress, Address{IP: any4}, ""},
		{":80", bindAddress, Address{IP: any4, Port: 80, PortEnd: 80}, "*:80"},
		{"*:80", bindAddress, Address{IP: any4, Port: 80, PortEnd: 80}, ""},
		{"0.0.0.0:80", bindAddress, Address{Host: "0.0.0.0", IP: any4, Port: 80, PortEnd: 80}, ""},
		{"ipv4@:80", bindAddress, Address{Family: IPv4, IP: any4, Port: 80, PortEnd: 80}, "ipv4@*:80"},
		{"ipv6@:80", bindAddress, Address{Family: IPv6, IP: any6, Port: 80, PortEnd: 80}, "ipv6@*:80"},
		{"ipv6@*:80", bindAddress, Address{Family: IPv6, IP: any6, Port: 80, PortEnd: 80}, ""},
		{"ipv6@", serverAddress, Address{Family: IPv6, IP: any6}, "ipv6@*"},
		{":::80", bindAddress, Address{Host: "::", IP: any6, Port: 80, PortEnd: 80}, "[::]:80"},
		{"::1:80", bindAddress, Address{Host: "::1", IP: ip("::1"), Port: 80, PortEnd: 80}, "[::1]:80"},
		{"[::1]:80", bindAddress, Address{Host: "::1", IP: ip("::1"), Port: 80, PortEnd: 80}, ""},
		{"[::1]", serverAddress, Address{Host: "::1", IP: ip("::1")}, ""},
		{"::1:", serverAddress, Address{Host: "::1", IP: ip("::1")}, "[::1]"},
		{"1:2:3:4:5:6:7:8:80", bindAddress, Address{Host: "1:2:3:4:5:6:7:8", IP: ip("1:2:3:4:5:6:7:8"), Port: 80, PortEnd: 80}, "[1:2:3:4:5:6:7:8]:80"},
		{"::ffff:1.2.3.4:80", bindAddress, Address{Host: "::ffff:1.2.3.4", IP: ip("::ffff:1.2.3.4"), Port: 80, PortEnd: 80}, "[::ffff:1.2.3.4]:80"},
		{"ipv6@[::1]:80", bindAddress, Address{Family: IPv6, Host: "::1", IP: ip("::1"), Port: 80, PortEnd: 80}, ""},
		{"::1", AddressOptions{}, Address{Host: "::1", IP: ip("::1")}, "[::1]"},
		{"1.2.3.4", AddressOptions{}, Address{Host: "1.2.3.4", IP: ip("1.2.3.4")}, ""},
		{"1.2.3.4:", serverAddress, Address{Host: "1.2.3.4", IP: ip("1.2.3.4")}, "1.2.3.4"},
		{"1.2.3.4:0", serverAddress, Address{Host: "1.2.3.4", IP: ip("1.2.3.4")}, "1.2.3.4"},
		{"[1.2.3.4]:080", bindAddress, Address{Host: "1.2.3.4", IP: ip("1.2.3.4"), Port: 80, PortEnd: 80}, "1.2.3.4:80"},
		{"tcp4@1.2.3.4:80", bindAddress, Address{Family: IPv4, Host: "1.2.3.4", IP: ip("1.2.3.4"), Port: 80, PortEnd: 80}, "ipv4@1.2.3.4:80"},
		{"stream+ip@1.2.3.4:80", bindAddress, Address{Host: "1.2.3.4", IP: ip("1.2.3.4"), Port: 80, PortEnd: 80}, "1.2.3.4:80"},
		{":80-90", bindAddress, Address{IP: any4, Port: 80, PortEnd: 90}, "*:80-90"},
		{":80-80", bindAddress, Address{IP: any4, Port: 80, PortEnd: 80}, "*:80"},
		{":65535", bindAddress, Address{IP: any4, Port: 65535, PortEnd: 65535}, "*:65535"},
		{"1.2.3.4:+10", serverAddress, Address{Host: "1.2.3.4", IP: ip("1.2.3.4"), Port: 10, PortEnd: 10, PortOffset: true}, ""},
		{"1.2.3.4:-10", serverAddress, Address{Host: "1.2.3.4", IP: ip("1.2.3.4"), Port: -10, PortEnd: -10, PortOffset: true}, ""},
		{"[::1]:-0", serverAddress, Address{Host: "::1", IP: ip("::1"), PortOffset: true}, "[::1]:+0"},
		{"localhost:80", serverAddress, Address{Host: "localhost", Port: 80, PortEnd: 80}, ""},
		{"DB-1.my_net.example.:80", serverAddress, Address{Host: "DB-1.my_net.example.", Port: 80, PortEnd: 80}, ""},
		{"1.2.3.x4", serverAddress, Address{Host: "1.2.3.x4"}, ""},
		{"ipv6@db", serverAddress, Address{Family: IPv6, Host: "db"}, ""},
		{"/run/a b:80,@", serverAddress, Address{Family: Unix, Path: "/run/a b:80,@"}, ""},
		{"unix@/x", bindAddress, Address{Family: Unix, Path: "/x"}, "/x"},
		{"uxst@x", bindAddress, Address{Family: Unix, Path: "x"}, "unix@x"},
		{"/" + long, bindAddress, Address{Family: Unix, Path: "/" + long}, ""},
		{"abns@x@y", bindAddress, Address{Family: Abstract, Path: "x@y"}, ""},
		{"abns@/x", bindAddress, Address{Family: Abstract, Path: "/x"}, ""},
		{"fd@3", bindAddress, Address{Family: Inherited, FD: 3}, ""},
	}
	for _, test := range tests {
		got, err := ParseAddress(test.text, test.o)
		if err != nil || got != test.want {
			t.Errorf("%s: got %+v, %v", test.text, got, err)
			continue
		}
		back := test.back
		if back == "" {
			back = test.text
		}
		if got.String() != back {
			t.Errorf("%s: String gives %s, want %s", test.text, got, back)
		}
		if again, err := ParseAddress(got.String(), anyAddress); err != nil || again != got {
			t.Errorf("%s: %s is read back as %+v, %v", test.text, got, again, err)
		}
	}
}

func TestAddressProblems(t *testing.T) {
	const neither = "is neither an address nor the name of a host in "
	tests := []struct {
		text string
		o    AddressOptions
		want string
	}{
		{"", bindAddress, "empty address (is an environment variable missing?)"},
		{"a\nb", bindAddress, `an address cannot hold a control character or a '$': "a\nb"`},
		{"/run/$x", bindAddress, `an address cannot hold a control character or a '$': "/run/$x"`},
		{":", bindAddress, "a port is missing in ':'"},
		{"*", bindAddress, "a port is missing in '*'"},
		{"[::1]", bindAddress, "a port is missing in '[::1]'"},
		{":0", bindAddress, "a port is from 1 to 65535, not 0 as in ':0'"},
		{":0-1", bindAddress, "a port is from 1 to 65535, not 0 as in ':0-1'"},
		{":90-80", bindAddress, "the port range ends before it starts in ':90-80'"},
		{":80-", bindAddress, "'' is not a port in ':80-'; one is a number from 1 to 65535"},
		{":80-+90", bindAddress, "'+90' is not a port in ':80-+90'; one is a number from 1 to 65535"},
		{":80x", bindAddress, "'80x' is not a port in ':80x'; one is a number from 1 to 65535"},
		{":http", bindAddress, "'http' is not a port in ':http'; one is a number from 1 to 65535"},
		{":65536", bindAddress, "'65536' is not a port in ':65536'; one is a number from 1 to 65535"},
		{":+80", bindAddress, "a port offset is not possible here: ':+80'"},
		{":-80", bindAddress, "a port offset is not possible here: ':-80'"},
		{":80-90", serverAddress, "a port range is not possible here: ':80-90'"},
		{":+1-2", serverAddress, "'1-2' is not a port in ':+1-2'; one is a number from 1 to 65535"},
		{":+", serverAddress, "'' is not a port in ':+'; one is a number from 1 to 65535"},
		{":+65536", serverAddress, "'65536' is not a port in ':+65536'; one is a number from 1 to 65535"},
		{"1.2.3.4:80", AddressOptions{}, "a port is not possible here: '1.2.3.4:80'"},
		{"::80", bindAddress, "':' is not an IPv6 address in '::80'; what follows the last colon is the port, unless there are brackets around the address"},
		{"2001:db8::1", bindAddress, "'2001:db8:' is not an IPv6 address in '2001:db8::1'; what follows the last colon is the port, unless there are brackets around the address"},
		{"1.2.3.4:80:90", bindAddress, "'1.2.3.4:80' is not an IPv6 address in '1.2.3.4:80:90'; what follows the last colon is the port, unless there are brackets around the address"},
		{"[::1]80", bindAddress, "only a port may follow the brackets in '[::1]80'"},
		{"[::1:80", bindAddress, "'[::1' is not an IPv6 address in '[::1:80'; what follows the last colon is the port, unless there are brackets around the address"},
		{"[]:80", bindAddress, "'' " + neither + "'[]:80'"},
		{"[*]:80", bindAddress, "'*' " + neither + "'[*]:80'"},
		{"**:80", bindAddress, "'**' " + neither + "'**:80'"},
		{"a b:80", bindAddress, "'a b' " + neither + "'a b:80'"},
		{"a..b:80", bindAddress, "'a..b' " + neither + "'a..b:80'"},
		{"-a:80", bindAddress, "'-a' " + neither + "'-a:80'"},
		{".:80", bindAddress, "'.' " + neither + "'.:80'"},
		{"caf\u00e9:80", bindAddress, "'caf\u00e9' " + neither + "'caf\u00e9:80'"},
		{strings.Repeat("x", 64), serverAddress, "'" + strings.Repeat("x", 64) + "' " + neither + "'" + strings.Repeat("x", 64) + "'"},
		{strings.Repeat("x.", 150) + "x", serverAddress, "a host's name of 301 characters is too long; there are at most 253"},
		{"256.1.1.1:80", bindAddress, "'256.1.1.1' is not an IPv4 address in '256.1.1.1:80'"},
		{"1.2.3:80", bindAddress, "'1.2.3' is not an IPv4 address in '1.2.3:80'"}, // HAProxy reads inet_aton(3)'s short forms
		{"8080", bindAddress, "a port is missing in '8080'"},
		{"[fe80::1%lo]:80", bindAddress, "an IPv6 address with a zone is not supported: '[fe80::1%lo]:80'; name the interface with 'interface'"},
		{"ipv4@::1:80", bindAddress, "'::1' is not an IPv4 address in 'ipv4@::1:80'"},
		{"ipv6@1.2.3.4:80", bindAddress, "'1.2.3.4' is not an IPv6 address in 'ipv6@1.2.3.4:80'"},
		{"fd@", bindAddress, "'' is not the number of a file descriptor in 'fd@'"},
		{"fd@-1", bindAddress, "'-1' is not the number of a file descriptor in 'fd@-1'"},
		{"fd@3:80", bindAddress, "'3:80' is not the number of a file descriptor in 'fd@3:80'"},
		{"fd@2147483648", bindAddress, "'2147483648' is not the number of a file descriptor in 'fd@2147483648'"},
		{"fd@3", serverAddress, "a file descriptor is not possible here: 'fd@3'"},
		{"/x", AddressOptions{AllowPort: true}, "a unix socket is not possible here: '/x'"},
		{"unix@", bindAddress, "the name of the socket is missing in 'unix@'"},
		{"abns@", bindAddress, "the name of the socket is missing in 'abns@'"},
		{"abns@" + strings.Repeat("x", 108), bindAddress, "the name of a socket has at most 107 bytes, not 108 as in 'abns@" + strings.Repeat("x", 108) + "'"},
		{"udp@:53", bindAddress, "'udp@' names a datagram socket in 'udp@:53', but sluice balances TCP"},
		{"quic4@:443", bindAddress, "'quic4@' names a datagram socket in 'quic4@:443', but sluice balances TCP"},
		{"dgram+ip@:53", bindAddress, "'dgram+ip@' names a datagram socket in 'dgram+ip@:53', but sluice balances TCP"},
		{"sockpair@3", bindAddress, "'sockpair@' is not supported, in 'sockpair@3'"},
		{"ipv5@:80", bindAddress, "unknown prefix 'ipv5@' in 'ipv5@:80'; did you mean 'ipv4'?"},
		{"me@host:80", bindAddress, "unknown prefix 'me@' in 'me@host:80'"},
	}
	for _, test := range tests {
		got, err := ParseAddress(test.text, test.o)
		if problem(err) != test.want || got != (Address{}) {
			t.Errorf("%s: got %+v\n     %v\nwant %s", test.text, got, err, test.want)
		}
	}
}

func TestParseAddresses(t *testing.T) {
	tests := []struct{ text, want string }{
		{":80", "*:80"},
		{":80,:81", "*:80 *:81"},
		{":80-82,[::1]:80,/x,fd@3", "*:80-82 [::1]:80 /x fd@3"},
		{":80,", "*:80"},
		{",:80", "empty address (is an environment variable missing?)"},
		{":80,,:81", "empty address (is an environment variable missing?)"},
		{":80,,", "empty address (is an environment variable missing?)"},
		{",", "empty address (is an environment variable missing?)"},
		{"", "empty address (is an environment variable missing?)"},
		{":80,x", "a port is missing in 'x'"},
	}
	for _, test := range tests {
		all, err := ParseAddresses(test.text, bindAddress)
		var texts []string
		for _, a := range all {
			texts = append(texts, a.String())
		}
		if got := strings.Join(texts, " ") + problem(err); got != test.want {
			t.Errorf("%s: got %s, want %s", test.text, got, test.want)
		}
	}
}
