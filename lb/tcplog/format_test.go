package tcplog

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	time.Local = time.FixedZone("IST", 5*3600+1800) // a zone that shows when local time was forgotten
	os.Exit(m.Run())
}

// full is a flow that went well.
func full() Record {
	return Record{
		Client: netip.MustParseAddrPort("127.0.0.1:34172"), FrontendAddr: netip.MustParseAddrPort("127.0.0.1:22009"),
		BackendSource: netip.MustParseAddrPort("127.0.0.1:56960"), BackendAddr: netip.MustParseAddrPort("127.0.0.1:1"),
		ListenerID: 2, Accept: time.Date(2026, 11, 2, 14, 55, 6, 7_586_000, time.UTC),
		Handshake: 1, Queue: 2, Connect: 3, Total: 57, Frontend: "fe_tcp", Backend: "bk", Server: "s1",
		BytesIn: 5, BytesOut: 6, ActConn: 1, FeConn: 2, BeConn: 3, SrvConn: 4, Retries: 0, SrvQueue: 8, BeQueue: 9,
		UniqueID: `a"b]c\d`, Counter: 10, LogCounter: 11, Error: "Truncated PROXY protocol header received",
	}
}

func refused() Record {
	r := full()
	r.BackendSource, r.BackendAddr, r.Server = netip.AddrPort{}, netip.AddrPort{}, ""
	r.Queue, r.Connect, r.Total, r.BytesOut, r.UniqueID = -1, -1, 0, 0, ""
	r.Termination = [2]byte{'S', 'C'}
	return r
}

func overUnix() Record {
	r := full()
	r.Client, r.FrontendAddr, r.ClientUnix = netip.AddrPort{}, netip.AddrPort{}, true
	r.BackendSource, r.BackendAddr, r.BackendUnix = netip.AddrPort{}, netip.AddrPort{}, true
	return r
}

func overIPv6() Record {
	r := full()
	r.Client, r.FrontendAddr = netip.MustParseAddrPort("[::1]:56476"), netip.MustParseAddrPort("[::ffff:1.2.3.4]:22001")
	return r
}

func asSoonAsPossible() Record {
	r := full()
	r.LogASAP, r.Total, r.BytesOut, r.Retries, r.Redispatched = true, 6, 0, 1, true
	return r
}

// The wanted lines are what HAProxy 2.6.12 wrote in the same situations, other numbers put in.
func TestFormat(t *testing.T) {
	for _, c := range []struct {
		name, format string // TCP, Default and Error are the built-in ones
		record       func() Record
		want         string
	}{
		{"tcplog", "TCP", full, "127.0.0.1:34172 [02/Nov/2026:20:25:06.007] fe_tcp bk/s1 2/3/57 6 -- 1/2/3/4/0 8/9"},
		{"tcplog, no server", "TCP", refused, "127.0.0.1:34172 [02/Nov/2026:20:25:06.007] fe_tcp bk/<NOSRV> -1/-1/0 0 SC 1/2/3/4/0 8/9"},
		{"tcplog, unix", "TCP", overUnix, "unix:2 [02/Nov/2026:20:25:06.007] fe_tcp bk/s1 2/3/57 6 -- 1/2/3/4/0 8/9"},
		{"tcplog, logasap", "TCP", asSoonAsPossible, "127.0.0.1:34172 [02/Nov/2026:20:25:06.007] fe_tcp bk/s1 2/3/+6 +0 -- 1/2/3/4/+1 8/9"},
		{"default", "Default", full, "Connect from 127.0.0.1:34172 to 127.0.0.1:22009 (fe_tcp/TCP)"},
		{"default, unix", "Default", overUnix, "Connect to unix:2 (fe_tcp/TCP)"},
		{"default, IPv6", "Default", overIPv6, "Connect from ::1:56476 to ::ffff:1.2.3.4:22001 (fe_tcp/TCP)"},
		{"error", "Error", full, "127.0.0.1:34172 [02/Nov/2026:20:25:06.007] fe_tcp/2: Truncated PROXY protocol header received"},
		{"error, unix", "Error", overUnix, "unix:2 [02/Nov/2026:20:25:06.007] fe_tcp/2: Truncated PROXY protocol header received"},
		{"error, named", "Error", func() Record { r := full(); r.ListenerName = "named"; return r },
			"127.0.0.1:34172 [02/Nov/2026:20:25:06.007] fe_tcp/named: Truncated PROXY protocol header received"},

		{"all", "B=%B ID=%ID ST=%ST T=%T Tc=%Tc Td=%Td Tl=%Tl Th=%Th Ts=%Ts Tt=%Tt Tu=%Tu Tw=%Tw U=%U ac=%ac b=%b bc=%bc bi=%bi bp=%bp bq=%bq " +
			"ci=%ci cp=%cp f=%f fc=%fc fi=%fi fp=%fp ft=%ft lc=%lc hr=%hr hrl=%hrl hs=%hs hsl=%hsl ms=%ms rc=%rc rt=%rt s=%s sc=%sc si=%si " +
			"sp=%sp sq=%sq t=%t ts=%ts tsc=%tsc sslc=%sslc sslv=%sslv %%", full,
			`B=6 ID=a"b]c\d ST=0 T=02/Nov/2026:14:55:06 +0000 Tc=3 Td=51 Tl=02/Nov/2026:20:25:06 +0530 Th=1 Ts=1793631306 Tt=57 Tu=57 Tw=2 U=5 ac=1 b=bk bc=3 bi=127.0.0.1 bp=56960 bq=9 ` +
				"ci=127.0.0.1 cp=34172 f=fe_tcp fc=2 fi=127.0.0.1 fp=22009 ft=fe_tcp lc=11 hr= hrl= hs= hsl= ms=007 rc=0 rt=10 s=s1 sc=4 si=127.0.0.1 " +
				"sp=1 sq=8 t=02/Nov/2026:20:25:06.007 ts=-- tsc=---- sslc=- sslv=- %"},
		{"hexadecimal", "%{+X}o B=%B Ts=%Ts Tt=%Tt bi=%bi bp=%bp ci=%ci fp=%fp lc=%lc ms=%ms rt=%rt sp=%sp b=%b", full,
			"B=6 Ts=6AE8A44A Tt=57 bi=7F000001 bp=DE80 ci=7F000001 fp=55F9 lc=000B ms=07 rt=000A sp=0001 b=bk"},
		{"hexadecimal IPv6", "%{+X}ci %{+X}fi", overIPv6, "00000000000000000000000000000001 00000000000000000000FFFF01020304"},
		{"quoted", "%{+Q}o %B %ID %t %ts %ac %b %bi %bp %ft %s %hr", full,
			`6 "a"b]c\d" 02/Nov/2026:20:25:06.007 -- 1 "bk" "127.0.0.1" 56960 "fe_tcp" "s1" `},
		{"quoted and absent", "%{+Q}o %ID %bi %bp %s %sslv", refused, `"" "" "" "<NOSRV>" ""`},
		{"absent", "%ID %bi:%bp %si:%sp %{+X}si %Td %Tw", refused, "- -:- -:- - -1 -1"},
		{"escaped", `a]b"c %{+E}o d]e %ID %{+Q}ID %b`, full, `a]b"c d]e a\"b\]c\\d "a\"b\]c\\d" bk`},
		{"flags taken off", "%{+Q}o %b %{+X}s %{-Q}o %b %{+Q,+X}s %b", full, `"bk" "s1" bk "s1" bk`},
		{"unix server", "%si %sp %bi %bp %{+Q}si", overUnix, `unix 0 unix 0 "unix"`},
		{"unix client", "%ci %cp %fi %fp", overUnix, "unix 2 unix 2"},
		{"spaces merge", "  a \t b %hr  %hr,%hrl end ", full, "a b , end "},
		{"logasap", "%B %U %Tt %Tu %Tc %Td %rc", asSoonAsPossible, "+0 5 +6 +6 3 0 +1"},
		{"a name ends at punctuation", "%b_x %b.x %b{x}", full, "bk_x bk.x bk{x}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := map[string]*Format{"TCP": TCP, "Default": Default, "Error": Error}[c.format]
			if f == nil {
				var err error
				if f, err = ParseFormat(c.format, nil); err != nil {
					t.Fatal(err)
				}
			}
			r := c.record()
			if got := string(f.Append([]byte("before "), &r)); got != "before "+c.want {
				t.Errorf("\ngot  %s\nwant before %s", got, c.want)
			}
		})
	}
}

func TestFormatOfTheProcess(t *testing.T) {
	f, err := ParseFormat("%H %pid", nil)
	if err != nil {
		t.Fatal(err)
	}
	name, _ := os.Hostname()
	r := full()
	want := name + " " + string(appendNumber(nil, 0, int64(os.Getpid()), 0))
	if got := string(f.Append(nil, &r)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFormatErrors(t *testing.T) {
	for _, c := range []struct {
		format string
		offset int
		reason string
	}{
		{"%ci %HM", 5, "HTTP variable '%HM'"},
		{"%Tq", 1, "HTTP variable"},
		{"%ci %[req.len]", 7, "sample 'req.len' is not known to sluice's log formats; known: accept_date act_conn "},
		{"%{+Q}[srC]", 7, "(did you mean 'src'?)"},
		{"%[src", 5, "missing ']' after 'src'"},
		{"%[", 2, "a sample's name, such as 'src', must follow '%['"},
		{"%[ src]", 3, "a sample's name"},
		{"%[src,]", 7, "a converter's name, such as 'upper', must follow the comma"},
		{"%[src,reverse]", 7, "converter 'reverse' is not known to sluice's log formats; known: add and base64 "},
		{"%[src,Upper]", 7, "(did you mean 'upper'?)"},
		{"%[src(1)]", 3, "sample 'src' takes no arguments"},
		{"%[src,upper(1)]", 7, "converter 'upper' takes no arguments"},
		{"%[src)]", 3, "sample 'src)' is not known"},
		{"%[str(a)b]", 9, "']' or ',' expected, not 'b]'"},
		{"%[str(a]", 6, "missing ')' after 'str(a]'"},
		{"%[int(x)]", 3, "'x' is not a whole number"},
		{"%[int]", 3, "expects (<number>)"},
		{"%[date(x)]", 3, "'x' is not a whole number"},
		{"%[date(0,h)]", 3, "'h' is none of 's', 'ms', 'us'"},
		{"%[rand(0)]", 3, "from 1 to 4294967295"},
		{"%[uuid(5)]", 3, "only version 4"},
		{"%[bool(yes)]", 3, "neither 'true' nor 'false'"},
		{"%[src,ipmask]", 7, "expects (<bits>[,<bits of IPv6>])"},
		{"%[src,ipmask(33)]", 7, "'33' is not a whole number from 0 to 32"},
		{"%[src,ipmask(255.0.255.0)]", 7, "all ones before all zeros"},
		{"%[date,ltime(%Q)]", 8, "unknown '%Q'"},
		{"%[date,ltime(%)]", 8, "ends with a percent sign"},
		{"%[int(1),add(x)]", 10, "'x' is not a whole number, and variables are not supported"},
		{"%[str(a),field(0,b)]", 10, "counted from 1"},
		{"%[str(a),concat(a,b)]", 10, "variables such as 'b' are not supported"},
		{"a %zz", 3, "unknown variable '%zz'"},
		{"%tsfoo", 1, "did you mean '%ts'"},
		{"%TW", 1, "did you mean '%Tw'?"},
		{"a %", 3, "a variable's name must follow '%'"},
		{"%{+Q}", 1, "must follow '%{+Q}'"},
		{"% b", 1, "itself is written '%%'"},
		{"%{+Q", 2, "missing '}'"},
		{"%{+Q,+Z}b", 6, "unknown flag '+Z'"},
		{"%{Q}b", 3, "unknown flag 'Q'"},
	} {
		_, err := ParseFormat(c.format, nil)
		var f *FormatError
		if !errors.As(err, &f) || f.Offset != c.offset || !strings.Contains(f.Reason, c.reason) {
			t.Errorf("%q: %v", c.format, err)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	r, b := full(), make([]byte, 0, 4096)
	all := mustParse("%{+Q,+E}o %t %Tl %T %Ts %ID %ci %b %s %B %[src,ipmask(24),upper] %[uuid] %[date,ltime(%Y-%m-%dT%H:%M:%S%z)] %[fc_pp_authority]")
	own, err := ParseJSON([]string{"time", "server", "client=%ci:%cp", "who=%[fc_pp_authority,lower]", "night=%[src_port,even]"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Authority = []byte("a\nb")
	var x scratch
	all.append(b, &r, &x) // the scratch grows once
	own.append(b, &r, &x)
	if n := testing.AllocsPerRun(100, func() {
		TCP.Append(b, &r)
		Default.Append(b, &r)
		Error.Append(b, &r)
		JSON.append(b, &r, &x)
		JSONError.append(b, &r, &x)
		all.append(b, &r, &x)
		own.append(b, &r, &x)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The kept second is renewed when the second changes, in either direction.
func TestClockText(t *testing.T) {
	var x scratch
	f := mustParse("%t")
	for _, second := range []int{5, 5, 6, 5, 0} {
		r := full()
		r.Accept = time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC)
		if got, want := string(f.append(nil, &r, &x)), string(f.Append(nil, &r)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzParseFormat(f *testing.F) {
	for _, s := range []string{"%ci:%cp [%t]", "%{+Q,-X}o %b", "%", "%{", "%{+", "%%", "%[x]", "%{+Q}", "%[src,ipmask(24,64),hex]", "%[str('a\\)b'),field(-2,a,0),base64]", "%[date(1,ms),ltime(\"%c %r\"),bytes(1,2)]x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		format, err := ParseFormat(s, nil)
		var where *FormatError
		if err != nil && (!errors.As(err, &where) || where.Offset < 1 || where.Offset > len(s)) {
			t.Fatalf("%q: %v", s, err)
		}
		if err == nil {
			r := refused()
			format.Append(nil, &r)
			r = overUnix()
			format.Append(nil, &r)
		}
	})
}

func BenchmarkAppendTCP(b *testing.B) {
	r, buffer, x := full(), make([]byte, 0, 4096), scratch{}
	b.ReportAllocs()
	for b.Loop() {
		TCP.append(buffer, &r, &x)
	}
}
