package admin

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
)

// What commands answer, and what is so afterwards.
func TestChanges(t *testing.T) {
	f := newFake(t)
	f.sessions = []Session{{ID: 0x1f, Client: "one"}, {ID: 0x2f, Client: "two"}}
	path := listen(t, f, Options{})
	be := f.proxies[1].Backend
	s1, s2, s3, s4 := be.Servers()[0], be.Servers()[1], be.Servers()[2], be.Servers()[3]
	status := func(s *backend.Server) func() string { return func() string { return s.Status().Text } }
	number := func(n func() int) func() string { return func() string { return fmt.Sprint(n()) } }
	state := func() string { return f.proxies[0].Frontend.State().String() }
	addr := func() string { return f.address["be/s1"].String() }
	last := func() string {
		if len(f.shut) == 0 {
			return ""
		}
		return f.shut[len(f.shut)-1]
	}
	rates := func() string { i := f.Info(); return fmt.Sprint(i.ConnRateLimit, i.SessRateLimit) }
	weight := func() string { return fmt.Sprint(s1.Weight()) }
	checked := func() string { return fmt.Sprint(s1.CheckEnabled()) }
	agented := func() string { return fmt.Sprint(s4.AgentEnabled()) }
	for _, test := range []struct {
		command, answer string
		look            func() string
		want            string
	}{
		{"set weight be/s1 30", "", weight, "30"},
		{"set weight be/s1 50%", "", weight, "5"},
		{"set weight be/s1 100000%", "", weight, "256"},
		{"set server be/s1 weight 100%", "", weight, "10"},
		{"set server #2/#1 weight 11", "", weight, "11"},
		{"get weight #2/s1", "11 (initial 10)", weight, "11"},
		{"set weight be/s1 257", "Absolute weight can only be between 0 and 256 inclusive.", weight, "11"},
		{"set weight be/s1 -1", "Absolute weight can only be between 0 and 256 inclusive.", weight, "11"},
		{"set weight be/s1 -1%", "Relative weight must be positive.", weight, "11"},
		{"set weight be/s1 x", "Empty weight string empty or preceded by garbage", weight, "11"},
		{"set server be/s1 weight", "Require <weight> or <weight%>.", weight, "11"},
		{"set weight be/s1", "Require <weight> or <weight%>.", weight, "11"},
		{"set weight static/x1 3", "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.", nil, ""},
		{"set weight static/x1 0", "", number(f.proxies[2].Backend.Servers()[0].Weight), "0"},
		{"set weight static/x1 100%", "", number(f.proxies[2].Backend.Servers()[0].Weight), "7"},
		{"set weight", "Require 'backend/server'.", nil, ""},
		{"set weight be 1", "Require 'backend/server'.", nil, ""},
		{"set weight be/ 1", "Require 'backend/server'.", nil, ""},
		{"set weight nope/s1 1", "No such backend.", nil, ""},
		{"set weight fe/s1 1", "No such backend.", nil, ""},
		{"set weight be/nope 1", "No such server.", nil, ""},

		{"set server be/s2 state drain", "", status(s2), "DRAIN"},
		{"set server be/s2 state maint", "", status(s2), "MAINT"},
		{"set server be/s2 state ready", "", status(s2), "no check"},
		{"set server be/s2 state up", "'set server <srv> state' expects 'ready', 'drain' and 'maint'.", status(s2), "no check"},
		{"disable server be/s1", "", status(s4), "MAINT (via be/s1)"},
		{"enable server be/s1", "", status(s1), "UP 1/3"},
		{"enable server be/s3", "", status(s3), "no check"},
		{"set server be/s1 health down", "", status(s1), "DOWN"},
		{"set server be/s1 health up", "", status(s1), "UP"},
		{"set server be/s1 health stopping", "", status(s1), "NOLB"},
		{"set server be/s1 health up", "", status(s4), "UP"},
		{"set server be/s1 health", "'set server <srv> health' expects 'up', 'stopping', or 'down'.", status(s1), "UP"},
		{"set server be/s4 health down", "cannot change health on a tracking server.", status(s4), "UP"},
		{"disable health be/s1", "", checked, "false"},
		{"enable health be/s1", "", checked, "true"},
		{"enable health be/s2", "Health checks are not configured on this server, cannot enable.", nil, ""},
		{"disable agent be/s4", "", agented, "false"},
		{"set server be/s4 agent down", "agent checks are not enabled on this server.", nil, ""},
		{"enable agent be/s4", "", agented, "true"},
		{"enable agent be/s1", "Agent was not configured on this server, cannot enable.", nil, ""},
		{"set server be/s1", "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | check-port | fqdn | health | state | weight", nil, ""},
		{"set server be/s1 color red", "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | check-port | fqdn | health | state | weight", nil, ""},

		{"set server be/s1 addr 127.0.0.9 port 80", "IP changed from '127.0.0.1' to '127.0.0.9', port changed from '11' to '80' by 'stats socket command'", addr, "127.0.0.9:80"},
		{"set server be/s1 addr 127.0.0.9 port 80", "no need to change the addr, no need to change the port by 'stats socket command'", addr, "127.0.0.9:80"},
		{"set server be/s1 addr ::1", "IP changed from '127.0.0.9' to '::1' by 'stats socket command'", addr, "[::1]:80"},
		{"set server be/s1 addr host", "Invalid addr 'host' by 'stats socket command'", addr, "[::1]:80"},
		{"set server be/s1 addr ::1 port 0", "problem converting port '0' to an int by 'stats socket command'", addr, "[::1]:80"},
		{"set server be/s1 addr ::1 port", "problem converting port '' to an int by 'stats socket command'", addr, "[::1]:80"},
		{"set server be/s1 addr", "set server <b>/<s> addr requires an address and optionally a port.", addr, "[::1]:80"},

		{"set server be/s1 check-addr 127.0.0.5 port 80", "", last, "s1 false 127.0.0.5 80"},
		{"set server be/s1 check-addr ::1", "", last, "s1 false ::1 0"},
		{"set server be/s1 check-port 81", "", last, "s1 false invalid IP 81"},
		{"set server be/s4 agent-addr 127.0.0.6", "", last, "s4 true 127.0.0.6 0"},
		{"set server be/s4 agent-port 82", "", last, "s4 true invalid IP 82"},
		{"set server be/s4 check-port 83", "health checks are not enabled on this server", last, "s4 true invalid IP 82"},
		{"set server be/s1 agent-port 83", "agent checks are not enabled on this server", last, "s4 true invalid IP 82"},
		{"set server be/s1 check-port x", "provided port is not an integer", nil, ""},
		{"set server be/s1 check-port 70000", "provided port is invalid", nil, ""},
		{"set server be/s1 check-addr host", "invalid addr 'host'", nil, ""},
		{"set server be/s1 check-addr ::1 at 3", "expects 'port', not 'at'", nil, ""},
		{"set server be/s1 check-addr ::1 port", "provided port is not an integer", last, "s4 true invalid IP 82"},

		{"set server be/s4 agent-send hello", "", last, "s4 hears hello"},
		{"set server be/s4 agent-send", "'set server <srv> agent-send' expects a string.", nil, ""},
		{"set server be/s1 agent-send hello", "agent checks are not enabled on this server", nil, ""},
		{"set server be/s1 fqdn new.test", "be/s1 changed its FQDN from old to new.test by 'stats socket command'", last, "s1 is new.test"},
		{"set server be/s1 fqdn old", "no need to change the FDQN", nil, ""},
		{"set server be/s1 fqdn bad", "invalid", nil, ""},
		{"set server be/s1 fqdn", "set server <b>/<s> fqdn requires a FQDN.", nil, ""},

		{"set rate-limit connections global 5", "", rates, "5 0"},
		{"set rate-limit sessions global 6", "", rates, "5 6"},
		{"set rate-limit connections global 0", "", rates, "0 6"},
		{"set rate-limit connections global", "Expects an integer value.", rates, "0 6"},
		{"set rate-limit connections local 3", "'set rate-limit' only supports :\n   - 'connections global' and\n   - 'sessions global', the new ones of the process per second", rates, "0 6"},

		{"set maxconn frontend fe 7", "", number(func() int { return f.proxies[0].Frontend.Limit() }), "7"},
		{"set maxconn frontend fe x", "Integer value expected.", nil, ""},
		{"set maxconn frontend fe", "Integer value expected.", nil, ""},
		{"set maxconn frontend be 7", "No such frontend.", nil, ""},
		{"set maxconn frontend", "A frontend name is expected.", nil, ""},
		{"set maxconn server be/s1 9", "", number(s1.MaxConn), "9"},
		{"set maxconn server be/s1 0", "", number(s1.MaxConn), "0"},
		{"set maxconn server be/s1", "Require <maxconn>.", number(s1.MaxConn), "0"},
		{"set maxconn server be/s1 -3", "maxconn string empty or preceded by garbage", number(s1.MaxConn), "0"},
		{"set maxconn global 500", "", number(func() int { return f.Info().MaxConn }), "500"},
		{"set maxconn global 1001", "Value out of range.", number(func() int { return f.Info().MaxConn }), "500"},
		{"set maxconn global 0", "", number(func() int { return f.Info().MaxConn }), "1000"},
		{"set maxconn global", "Expects an integer value.", nil, ""},

		{"disable frontend fe", "", state, "PAUSED"},
		{"disable frontend fe", "All sockets are already disabled.", state, "PAUSED"},
		{"enable frontend fe", "", state, "OPEN"},
		{"enable frontend fe", "All sockets are already enabled.", state, "OPEN"},
		{"shutdown frontend #1", "", state, "STOP"},
		{"enable frontend fe", "Frontend was previously shut down, cannot enable.", state, "STOP"},
		{"disable frontend fe", "Frontend was previously shut down, cannot disable.", state, "STOP"},
		{"shutdown frontend fe", "Frontend was already shut down.", state, "STOP"},
		{"disable frontend", "A frontend name is expected.", nil, ""},
		{"disable frontend nope", "No such frontend.", nil, ""},

		{"shutdown session 0x2f", "", last, "two"},
		{"shutdown session 0x3f", "No such session (use 'show sess').", nil, ""},
		{"shutdown session 31", "Session pointer expected (use 'show sess').", nil, ""},
		{"shutdown session", "Session pointer expected (use 'show sess').", nil, ""},
		{"shutdown sessions server be/s2", "", last, "be/s2"},
		{"set timeout cli", "Expects an integer value.", nil, ""},
		{"set timeout cli soon", "Invalid timeout value.", nil, ""},
		{"set timeout cli 10", "", nil, ""},
		{"set timeout cli 500ms", "", nil, ""},
		{"wait 1ms", "Done.", nil, ""},
		{"wait 1", "Done.", nil, ""}, // milliseconds
		{"wait 2h", "Expects a duration of at most an hour, in milliseconds unless it has a unit.", nil, ""},
		{"wait", "Expects a duration of at most an hour, in milliseconds unless it has a unit.", nil, ""},
		{"wait 1s srv-removable be/s1", "Failed. This server cannot be removed at runtime due to other configuration elements pointing to it.", nil, ""},
		{"wait 1s srv-removable be/s2", "Failed. Only servers in maintenance mode can be deleted.", nil, ""},
		{"wait 1s srv-removable be/nope", "No such server.", nil, ""},
		{"wait 1h srv-unused be/s2", "Done.", nil, ""},
		{"wait 1h be-removable be", "Unknown condition 'be-removable'; there are 'srv-removable' and 'srv-unused'.", nil, ""},

		{"add server", "Require 'backend/server'.", nil, ""},
		{"add server nope/x 127.0.0.1:1", "No such backend.", nil, ""},
		{"add server be/x", "no address", nil, ""},
		{"add server be/x 127.0.0.1:1", "New server registered.", last, "be x 127.0.0.1:1"},
		{"add server be/x 127.0.0.1:1 a-notice", "a-notice\nNew server registered.", last, "be x 127.0.0.1:1 a-notice"},
		{"del server be/s2", "Only servers in maintenance mode can be deleted.", nil, ""},
		{"del server be/nope", "No such server.", nil, ""},
	} {
		want := test.answer + "\n\n"
		if test.answer == "" {
			want = "\n"
		}
		if got := ask(t, path(Admin), test.command+"\n"); got != want {
			t.Errorf("%s: %q, want %q", test.command, got, want)
		}
		if test.look != nil && test.look() != test.want {
			t.Errorf("%s: it is %s then, not %s", test.command, test.look(), test.want)
		}
	}
}

func TestListings(t *testing.T) {
	f := newFake(t)
	f.sessions = []Session{
		{ID: 0x1f, Client: "127.0.0.1:5", Frontend: "fe", Stage: "queued", Backend: "be", Age: 90 * time.Second, Expires: -1},
		{ID: 0x2f, Client: "unix:1", Unix: true, Frontend: "fe", Backend: "be", Server: "s1", Stage: "forwarding", In: 1, Out: 2, Expires: time.Second, ClientFD: 7,
			ServerFD: 8, Target: netip.MustParseAddrPort("127.0.0.1:11")},
	}
	path := listen(t, f, Options{})
	for _, test := range []struct {
		command string
		want    []string // parts, in order
		never   string
	}{
		{"show sess", []string{"0x1f: proto=tcpv4 src=127.0.0.1:5 fe=fe be=be srv=<none>", "st=queued age=1m30s", "exp= rc=0\n0x2f: proto=unix_stream src=unix:1", "fd=7", "exp=1s"}, ""},
		{"show sess 0x2f", []string{"0x2f: [", "server=s1 addr=127.0.0.1:11 fd=8"}, "0x1f"},
		{"show sess all", []string{"0x1f: [", "server=<NONE> addr=-", "0x2f: ["}, ""},
		{"show sess 0x3f", []string{"Session not found."}, "0x1f"},
		{"show sess x", []string{"Session not found."}, "0x1f"},
		{"show servers state", []string{"1\n# be_id\nof \n"}, ""},
		{"show servers state #2", []string{"1\n# be_id\nof be\n"}, ""},
		{"show servers state fe", []string{"Can't find backend."}, "be_id"},
		{"show servers conn", []string{"# bkname/svname", "idle_per_thr[2]\nbe/s1 2/1 127.0.0.1 11 - 5000 0 0 0 0 0 -1 0 0 0\n", "static/x1 3/1"}, ""},
		{"show servers conn static", []string{"static/x1"}, "be/s1"},
		{"show servers conn nope", []string{"Can't find backend."}, "be/s1"},
		{"show queue", []string{"# backend server", "be - 0 0 0 - 0", "be s1 0 0 0 5 0", "static - 0"}, "s2"},
		{"show queue nope", []string{"Can't find backend."}, "be"},
		{"show tenants", []string{"# tenant namespace", "t blue 3 3 5 0 - 0 1000 0 - 2 - 0 0 7"}, "nope"},
		{"show ebpf", []string{"lookup: rules 2, targets 1, given 50, passed 4, refused 3, gone 1\n", "steering: least, groups 1, hashed 3, stalled 2, gone 1\n", "# loop given", "1 9 0 9 4\n2 0 0 0 0\n"}, "off"},
		{"show guard", []string{"guard: on eth0 (native), 0 denied prefixes\n", "denied 5\nsource_syn_rate 4\nprefix_syn_rate 3\n", "syn 13\nopaque 1\n"}, "off"},
		{"add guard deny 192.0.2.0/24", []string{""}, "guard"},
		{"add guard deny 2001:db8::1", []string{""}, "guard"},
		{"show guard deny", []string{"192.0.2.0/24\n2001:db8::1/128\n"}, "guard"},
		{"add guard deny nowhere", []string{"neither an address nor a prefix"}, ""},
		{"add guard deny", []string{"Expects one"}, ""},
		{"del guard deny 192.0.2.0/24", []string{""}, "192.0.2"},
		{"show guard deny", []string{"2001:db8::1/128"}, "192.0.2"},
		{"del guard deny 192.0.2.0/24", []string{"No such entry: 192.0.2.0/24."}, ""},
		{"show loops", []string{"# loop", "1 2 7 10 20 1000 3000 25 1000\n2 0 0 0 0 0 0 0 0\n"}, ""},
		{"show sched", []string{"# loop turns", "1 10 100000 2 4 16 16 1000\n2 0 0 0 0 0 0 0\n"}, ""},
		{"show activity", []string{"loops: 10 [ 10 0 ]\n", "accepted: 7 [ 7 0 ]\n", "max_loop_us: 1000 [ 1000 0 ]\n"}, ""},
		{"show resolvers", []string{"Resolvers section dns\n nameserver ns1:\n  sent:        3\n  nx:          1\n"}, ""},
		{"show resolvers nope", []string{"Can't find that resolvers section"}, "ns1"},
		{"show info", []string{"Name: sluice\nVersion: 9\n", "Nbthread: 2\n", "Maxconn: 1000\n", "Idle_pct: 75\n", "node: here\n", "FailedResolutions: 1\n"}, "description"},
		{"show info typed", []string{"0.Name.1:POS:str:sluice\n", "3.Nbthread.1:CGS:u32:2\n", "71.Tainted.1:SGP:str:0\n"}, "46."},
		{"show info typed desc", []string{"0.Name.1:POS:str:sluice:\"the product\"\n"}, ""},
		{"show info", []string{"PipesUsed: 3\nPipesFree: 4\n", "Run_queue: 5\n"}, ""},
		{"show errors", []string{"Total events captured on [", "] : 0\n"}, ""},
		{"show errors be", []string{"Total events captured on ["}, ""},
		{"show errors nope", []string{"No such proxy."}, "Total"},
		{"show fd", []string{"      0 : ", "      1 : ", " : socket:["}, ""},
		{"show fd 1", []string{"      1 : "}, " 0 : "},
		{"show fd x", []string{"A number of a descriptor is expected."}, ":"},
		{"show threads", []string{fmt.Sprintf("  Thread 1 : id=%d loop=1 state=", os.Getpid()), " cpu=", " user_ms=", " flows=2 turns=10 busy_ms=1000 longest_gap_us=1000\n", "  Thread 2 : id=0 loop=2 state=? ", "  Others : threads="}, ""},
		{"show profiling", []string{"Per-task CPU profiling              : on ", "Memory usage profiling              : off", "Tasks activity:\n", "  loop 1                           10    1000ms     100ms         -         -\n"}, ""},
		{"show profiling status", []string{"Memory usage"}, "Tasks"},
		{"show profiling tasks", []string{"Tasks activity:\n"}, "Memory"},
		{"show profiling nope", []string{"Expects either 'all', 'status', 'tasks', 'memory', 'byaddr' or a max number of output lines."}, ""},
		{"show pools", []string{"Memory got", "heap/objects", "Total: "}, ""},
		{"show info desc", []string{"Name: sluice:\"the product\"\n"}, ""},
	} {
		got := ask(t, path(Admin), test.command+"\n")
		rest := got
		for _, part := range test.want {
			_, after, found := strings.Cut(rest, part)
			if !found {
				t.Errorf("%s: %q is not, or not there, in %s", test.command, part, got)
			}
			rest = after
		}
		if test.never != "" && strings.Contains(got, test.never) {
			t.Errorf("%s: there is %q in %s", test.command, test.never, got)
		}
		if strings.Index(got, "\n\n") != len(got)-2 {
			t.Errorf("%s: an empty line that is not the end, or no end: %q", test.command, got)
		}
	}
}

// table reads "show stat".
func table(t *testing.T, text string) map[string]map[string]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(strings.TrimSuffix(text, "\n"), "# "))).ReadAll()
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	all := make(map[string]map[string]string)
	for _, r := range rows[1:] {
		x := make(map[string]string)
		for i, name := range rows[0] {
			x[name] = r[i]
		}
		all[x["pxname"]+"/"+x["svname"]] = x
	}
	return all
}

func TestStat(t *testing.T) {
	f := newFake(t)
	path := listen(t, f, Options{})
	fe, be := f.proxies[0].Frontend, f.proxies[1].Backend
	fe.Stats.Add(0, stats.Connections, 3)
	fe.Stats.Add(1, stats.Sessions, 2)
	fe.Flows.Add(5)
	fe.Flows.Add(-1)
	s1 := be.Servers()[0]
	s1.Stats.Add(1, stats.Sessions, 2)
	s1.Stats.Add(1, stats.Connections, 3)
	s1.Stats.Add(1, stats.BytesIn, 1<<33)
	s1.Stats.Add(0, stats.ConnectFailed, 1)
	s1.Stats.AddTime(0, stats.TotalTime, 30*time.Millisecond)
	s1.Stats.AddTime(1, stats.TotalTime, 10*time.Millisecond)
	s1.Checked(backend.CheckResult{Status: backend.CheckL7Failed, Code: 503, Text: `said "no", twice`, Duration: 12 * time.Millisecond})
	be.Stats.Add(0, stats.NoServer, 4)

	rows := table(t, ask(t, path(Operator), "show stat\n"))
	for row, columns := range map[string]map[string]string{
		"fe/FRONTEND": {"qcur": "", "scur": "4", "smax": "5", "slim": "100", "stot": "2", "conn_tot": "3", "status": "OPEN", "type": "0", "iid": "1", "sid": "0", "mode": "tcp", "rate": "2", "conn_rate_max": "3", "addr": ""},
		"fe/one":      {"type": "3", "sid": "1", "addr": "127.0.0.1:1", "slim": "0"},
		"be/s1": {"stot": "3", "lbtot": "2", "bin": "8589934592", "econ": "1", "status": "DOWN", "check_status": "L7STS", "check_code": "503", "check_duration": "12",
			"last_chk": `said "no", twice`, "check_desc": "Layer7 wrong status", "check_rise": "2", "check_fall": "3", "check_health": "0", "chkfail": "1", "chkdown": "1", "slim": "5",
			"ttime": "20", "ttime_max": "30", "lastsess": "0", "act": "1", "bck": "0", "type": "2", "weight": "10", "qlimit": "", "addr": "127.0.0.1:11", "tracked": ""},
		"be/s2":      {"slim": "", "qlimit": "3", "act": "0", "bck": "1", "lastsess": "-1", "check_status": "", "chkfail": "", "status": "no check", "weight": "20"},
		"be/s3":      {"status": "MAINT"},
		"be/s4":      {"tracked": "be/s1", "status": "DOWN"},
		"be/BACKEND": {"type": "1", "econ": "4", "status": "UP", "act": "0", "bck": "1", "algo": "roundrobin", "slim": "10"},
	} {
		for column, want := range columns {
			if got := rows[row][column]; got != want {
				t.Errorf("%s: %s is %q, want %q", row, column, got, want)
			}
		}
	}
	if rows := table(t, ask(t, path(User), "show stat\n")); rows["be/s1"]["addr"] != "" || rows["be/BACKEND"]["algo"] != "" {
		t.Error("a user sees addresses and algorithms")
	}
	names := func(arguments string) string {
		var all []string
		for _, line := range strings.Split(ask(t, path(Admin), "show stat "+arguments+"\n"), "\n") {
			if fields := strings.Split(line, ","); len(fields) > 2 && line[0] != '#' {
				all = append(all, fields[0]+"/"+fields[1])
			}
		}
		return strings.Join(all, " ")
	}
	for arguments, want := range map[string]string{
		"1 1 0":               "fe/FRONTEND",
		"fe 1 -1":             "fe/FRONTEND",
		"#2 2 -1":             "be/BACKEND",
		"2 4 1":               "be/s1",
		"-1 2 -1":             "be/BACKEND static/BACKEND",
		"be 6 -1 no-maint":    "be/s1 be/s2 be/s4 be/BACKEND",
		"be 6 -1 up":          "be/s2 be/BACKEND",
		"99 -1 -1":            "",
		"domain proxy be 2 0": "be/BACKEND",
	} {
		if got := names(arguments); got != want {
			t.Errorf("show stat %s: %s, want %s", arguments, got, want)
		}
	}
	if got := ask(t, path(Admin), "show stat nope 1 1\n"); got != "No such proxy.\n\n" {
		t.Errorf("%q", got)
	}
	typed := ask(t, path(Admin), "show stat be 4 1 typed\n")
	for _, line := range []string{"S.2.1.0.pxname.1:KNS:str:be\n", "S.2.1.8.bin.1:MCP:u64:8589934592\n", "S.2.1.19.act.1:SGP:u32:1\n", "S.2.1.56.last_chk.1:MOP:str:said \"no\", twice\n"} {
		if !strings.Contains(typed, line) {
			t.Errorf("no %q in %s", line, typed)
		}
	}
}

func TestJSON(t *testing.T) {
	path := listen(t, newFake(t), Options{})
	for _, command := range []string{"show info json", "show stat json"} {
		var any []any
		text := ask(t, path(Admin), command+"\n")
		if err := json.Unmarshal([]byte(text), &any); err != nil || len(any) < 3 {
			t.Errorf("%s: %v, %d elements, of %s", command, err, len(any), text)
		}
	}
	if text := ask(t, path(Admin), "show stat 1 1 0 json\n"); !strings.HasPrefix(text, `[[{"objType":"Frontend","proxyId":1,"id":0,"field":{"pos":0,"name":"pxname"},"processNum":1,"tags":{"origin":"Key","nature":"Name","scope":"Service"},"value":{"type":"str","value":"fe"}},`) {
		t.Errorf("show stat json: %.300s", text)
	}
}

// clear counters
func TestClear(t *testing.T) {
	f := newFake(t)
	path := listen(t, f, Options{})
	fe, s1 := f.proxies[0].Frontend, f.proxies[1].Backend.Servers()[0]
	fe.Flows.Add(5)
	fe.Flows.Add(-3)
	fe.Stats.Add(0, stats.Sessions, 9)
	s1.Stats.Add(0, stats.Connections, 9)
	s1.Stats.AddTime(0, stats.TotalTime, time.Second)
	s1.Checked(backend.CheckResult{Status: backend.CheckL4Failed})
	look := func() string {
		rows := table(t, ask(t, path(Admin), "show stat\n"))
		a, b := rows["fe/FRONTEND"], rows["be/s1"]
		return strings.Join([]string{a["scur"], a["smax"], a["stot"], b["stot"], b["ttime"], b["ttime_max"], b["chkfail"], b["chkdown"]}, " ")
	}
	for _, step := range []struct{ command, want string }{
		{"", "2 5 9 9 1000 1000 1 1"},
		{"clear counters", "2 2 9 9 1000 0 1 1"},
		{"clear counters all", "2 2 0 0 0 0 0 0"},
	} {
		if step.command != "" {
			ask(t, path(Admin), step.command+"\n")
		}
		if got := look(); got != step.want {
			t.Errorf("after %q: %s, want %s", step.command, got, step.want)
		}
	}
	s1.Stats.Add(0, stats.Connections, 1)
	if got := look(); got != "2 2 0 1 0 0 0 0" {
		t.Errorf("one more: %s", got)
	}
}

// Rates by a clock of the test's own.
func TestRates(t *testing.T) {
	f := newFake(t)
	now := time.Unix(1000, 0)
	r := newRates(f.proxies, func() time.Time { return now })
	c := f.proxies[0].Frontend.Stats
	expect := func(what string, rate, most uint64, since time.Duration) {
		t.Helper()
		n, m := r.read(c, stats.Sessions)
		d, ever := r.since(c, stats.Sessions)
		if !ever {
			d = -1
		}
		if n != rate || m != most || d != since {
			t.Errorf("%s: %d, at most %d, %v ago; want %d, %d, %v", what, n, m, d, rate, most, since)
		}
	}
	expect("at first", 0, 0, -1)
	c.Add(0, stats.Sessions, 10)
	expect("ten", 10, 10, 0)
	now = now.Add(time.Second)
	r.look()
	expect("a second later", 10, 10, 0)
	now = now.Add(500 * time.Millisecond)
	expect("half of it is over", 5, 10, 500*time.Millisecond)
	c.Add(1, stats.Sessions, 20)
	expect("more came", 25, 25, 0)
	now = now.Add(500 * time.Millisecond)
	r.look()
	now = now.Add(time.Second)
	r.look()
	expect("nothing came", 0, 25, time.Second)
	r.clear(false)
	expect("maxima are cleared", 0, 0, time.Second)
	c.Clear()
	expect("counters are cleared", 0, 0, time.Second)
	r.clear(true)
	expect("and so are the rates", 0, 0, -1)
}
