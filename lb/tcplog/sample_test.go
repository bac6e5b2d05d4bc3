package tcplog

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

// told is full with what only samples show.
func told() Record {
	r := full()
	r.Now = r.Accept.Add(57 * time.Millisecond)
	r.ListenerName = "door"
	r.FrontendID, r.BackendID, r.ServerID, r.DefaultBackend = 2, 3, 4, "bk"
	r.Loop, r.Class, r.Offset, r.ReceivedProxy = 1, -5, 250, true
	r.Authority, r.CarriedID = []byte("Example.ORG"), []byte("id\n7")
	return r
}

// The wanted texts are HAProxy 2.6.12's for the same expressions, where it has them.
func TestSamples(t *testing.T) {
	for _, c := range []struct {
		name, format string
		record       func() Record
		want         string
	}{
		{"addresses", "%[src]:%[src_port] %[dst]:%[dst_port] %[fc_src]:%[fc_src_port] %[fc_dst]:%[fc_dst_port] %[bc_src]:%[bc_src_port] %[bc_dst]:%[bc_dst_port]", told,
			"127.0.0.1:34172 127.0.0.1:22009 127.0.0.1:34172 127.0.0.1:22009 127.0.0.1:56960 127.0.0.1:1"},
		{"names", "%[fe_name] %[fe_id] %[fe_defbe] %[be_name] %[be_id] %[srv_name] %[srv_id] %[so_name] %[so_id] %[thread]", told, "fe_tcp 2 bk bk 3 s1 4 door 2 1"},
		{"absent", "%[srv_name] %[srv_id] %[bc_src] %[bc_src_port] %[so_name] %[unique-id] %[env(NONE)] %[str()] %[fc_pp_authority] %[bc_dst,upper] %{+Q}[srv_name]", refused,
			`- - - - - - - - - - ""`},
		{"of the PROXY header", "%[fc_rcvd_proxy] %[fc_pp_authority,lower] %[fc_pp_unique_id]", told, "1 example.org id#0A7"},
		{"constants", "%[int(42)] %[int(-1)] %[str(a  b)] %[str('a,b')] %[str(\"a)b\")] %[str(a\\,b)] %[bool(true)] %[always_false] %[ipv4(1.2.3.4)] %[ipv6(::1)] %[env(SET)] %[nbproc]", told,
			"42 -1 a  b a,b a)b a,b 1 0 1.2.3.4 ::1 value 1"},
		{"dates", "%[date] %[date(-3600)] %[date(0,ms)] %[date(1,us)] %[date_us] %[accept_date(0,ms)] %[date,ltime(%Y-%m-%d %H:%M:%S%z)] %[date,utime('%a %e, %r',3600)] %[date,http_date]", told,
			"1793631306 1793627706 1793631306064 1793631306064587 64586 1793631306007 2026-11-02 20:25:06+0530 Mon  2, 03:55:06 PM Mon, 02 Nov 2026 14:55:06 GMT"},
		{"numbers", "%[int(5),add(3),mul(2)] %[int(7),mod(4)] %[int(7),div(0)] %[int(7),div(2),sub(1)] %[int(-7),neg] %[int(3),even] %[int(3),odd] %[int(1),bool,not] %[int(6),and(3)] %[int(6),or(1)] %[int(6),xor(2)] %[int(0),cpl] %[str(3),add(4)] %[str(x),add(4)]", told,
			"16 3 9223372036854775807 2 7 0 1 0 2 7 4 -1 7 -"},
		{"hexadecimal", "%[int(42),hex] %[src,hex] %[str(xY),hex] %[str(2A),hex2i] %[str(xx),hex2i] %{+X}[int(42)]", told, "000000000000002A 7F000001 7859 42 - 42"},
		{"texts", "%[str(Abc),upper] %[str(Abc),lower] %[str(abc),length] %[str(abc),bytes(1)] %[str(abc),bytes(1,1)] %[str(abc),bytes(5)] %[str(abc),base64] %[str(foo),concat(a,,b)] %[str(xxaxx),ltrim(x)] %[str(xxaxx),rtrim(x)]", told,
			"ABC abc 3 bc b - YWJj fooab axx xxa"},
		{"fields", "%[str(a/b/c),field(2,/)] %[str(f1_f2_f3__f5),field(5,_)] %[str(f1_f2_f3__f5),field(2,_,0)] %[str(f1_f2_f3__f5),field(2,_,2)] %[str(f1_f2_f3__f5),field(-2,_,3)] %[str(f1_f2_f3__f5),field(-3,_,0)] %[str(a),field(2,_)]", told,
			"b f5 f2_f3__f5 f2_f3 f2_f3_ f1_f2_f3 -"},
		{"masks", "%[src,ipmask(8)] %[src,ipmask(255.255.0.0)] %[ipv6(2001:db8::1),ipmask(8,32)] %[ipv6(2001:db8::1),ipmask(8)] %[str(10.1.2.3),ipmask(24)] %[int(2130706433),ipmask(32)]", told,
			"127.0.0.0 127.0.0.0 2001:db8:: - 10.1.2.0 127.0.0.1"},
		{"choice", "%[always_false,iif(yes,no)] %[src_port,even,iif(yes,no)]", told, "no yes"},
		{"flags", `%{+Q}[src] %{+Q}[int(4)] %{+E}[str('a]b')] %{+Q,+E}[str('x"y')] %{+Q}o %[be_name] %{-Q}[be_name]`, told, `"127.0.0.1" "4" a\]b "x\"y" "bk" bk`},
		{"the flow", "%[bytes_in] %[bytes_out] %[fc.timer.handshake] %[req.timer.queue] %[bc.timer.connect] %[fc.timer.total] %[txn.conn_retries] %[txn.redispatched] %[txn.sess_term_state] %[act_conn] %[bc_be_queue] %[bc_srv_queue] %[prio_class] %[prio_offset] %[unique-id]", told,
			`5 6 1 2 3 57 0 0 -- 1 9 8 -5 250 a"b]c\d`},
		{"a unix client", "%[src] %[src_port] %[bc_dst]", overUnix, "- - -"},
		{"punctuation around", "x%[src]y,%[int(1)]%[int(2)]%%", told, "x127.0.0.1y,12%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := ParseFormat(c.format, func(name string) (string, bool) {
				return map[string]string{"SET": "value"}[name], name == "SET"
			})
			if err != nil {
				t.Fatal(err)
			}
			r := c.record()
			if got := string(f.Append(nil, &r)); got != c.want {
				t.Errorf("\ngot  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRandomSamples(t *testing.T) {
	f := mustParse("%[uuid] %[rand(3)] %[rand]")
	line := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} [012] \d+$`)
	seen := map[string]bool{}
	for range 100 {
		r := told()
		text := string(f.Append(nil, &r))
		if !line.MatchString(text) {
			t.Fatal(text)
		}
		id, rest, _ := strings.Cut(text, " ")
		seen[id], seen[rest[:1]] = true, true
	}
	if len(seen) != 103 {
		t.Errorf("%d different identifiers and numbers in a range, want 100 and 3", len(seen))
	}
}

func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		format           string
		frontend, source bool
	}{
		{"%ci %ft %si", false, false}, {"%fi", true, false}, {"%fp", true, false}, {"%bi", false, true}, {"%bp", false, true},
		{"%[src] %[bc_dst]", false, false}, {"%[dst_port]", true, false}, {"%[fc_dst]", true, false}, {"%[bc_src]", false, true}, {"fi bi", false, false},
	} {
		f := mustParse(c.format)
		if f.NeedsFrontendAddr() != c.frontend || f.NeedsBackendSource() != c.source {
			t.Errorf("%q: %v, %v", c.format, f.NeedsFrontendAddr(), f.NeedsBackendSource())
		}
		j, err := ParseJSON([]string{"x=a " + c.format}, nil)
		if err != nil || j.NeedsFrontendAddr() != c.frontend || j.NeedsBackendSource() != c.source {
			t.Errorf("%q in JSON: %v, %v, %v", c.format, j.NeedsFrontendAddr(), j.NeedsBackendSource(), err)
		}
	}
	if !Default.NeedsFrontendAddr() || TCP.NeedsFrontendAddr() || TCP.NeedsBackendSource() || JSON.NeedsFrontendAddr() || JSON.NeedsBackendSource() {
		t.Error("the built-in formats")
	}
}

// All of strftime's conversions that are known, by what date(1) prints.
func TestLayout(t *testing.T) {
	moment := time.Date(2024, 2, 3, 0, 5, 9, 0, time.FixedZone("IST", 5*3600+1800))
	const layout = "%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%k|%l|%m|%M|%p|%P|%r|%R|%s|%S|%T|%u|%V|%w|%y|%Y|%z|%Z|%%"
	const want = "Sat|Saturday|Feb|February|Sat Feb  3 00:05:09 2024|20|03|02/03/24| 3|2024-02-03|24|2024|Feb|00|12|034| 0|12|02|05|AM|am|12:05:09 AM|00:05|1706898909|09|00:05:09|6|05|6|24|2024|+0530|IST|%"
	if err := checkLayout(layout); err != nil {
		t.Fatal(err)
	}
	if got := string(appendLayout(nil, layout, moment)); got != want {
		t.Errorf("\ngot  %s\nwant %s", got, want)
	}
	if got := string(appendLayout(nil, "%u %w %p %I %V %j", time.Date(2023, 12, 31, 23, 0, 0, 0, time.UTC))); got != "7 0 PM 11 52 365" {
		t.Error(got)
	}
}

func TestLookupWithoutEnvironment(t *testing.T) {
	t.Setenv("TCPLOG_TEST", "here")
	f := mustParse("%[env(TCPLOG_TEST)]")
	r := Record{Client: netip.AddrPort{}}
	if got := string(f.Append(nil, &r)); got != "here" {
		t.Error(got)
	}
}
