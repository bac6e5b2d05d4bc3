package page

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// fake is a process with what a configuration has. Only what pages need of it is there.
type fake struct {
	admin.Process
	proxies []*admin.Proxy
	shut    []string // servers whose sessions were shut down
}

func (f *fake) Info() admin.Info {
	return admin.Info{Version: "9", Node: "lb1", Description: "global text", Pid: 7, Uptime: 90 * time.Second, MaxConn: 1000}
}
func (f *fake) Proxies() []*admin.Proxy      { return f.proxies }
func (f *fake) Loops() []admin.Loop          { return nil }
func (f *fake) Resolvers() []admin.Resolvers { return nil }
func (f *fake) Address(*backend.Server) (netip.AddrPort, string) {
	return netip.MustParseAddrPort("192.0.2.1:80"), ""
}
func (f *fake) ShutServerSessions(s *backend.Server) {
	f.shut = append(f.shut, s.Name)
}

// newSite loads a configuration and makes the site of the proxy "stats".
func newSite(t *testing.T, text string) (*Site, *fake, *[]string) {
	t.Helper()
	cfg, diagnostics := config.Load([]config.File{{Name: "test", Data: []byte(text + "backend web\n server a 192.0.2.1:80\n server b 192.0.2.2:80 disabled\nbackend db\n server c 192.0.2.3:80\n")}}, nil, config.LoadOptions{})
	if cfg == nil {
		t.Fatal(diagnostics)
	}
	f := &fake{}
	var page *config.Proxy
	for _, p := range cfg.Proxies {
		x := &admin.Proxy{Proxy: p}
		if p.Kind&config.Backend != 0 {
			b, err := backend.New(p, 0, 1)
			if err != nil {
				t.Fatal(err)
			}
			x.Backend = b
		}
		if p.IsPage() {
			page = p
			x.Frontend = &admin.Frontend{Stats: stats.New(1), Flows: new(stats.Gauge), State: func() admin.FrontendState { return admin.Open }, Limit: func() int { return 9 }}
		}
		f.proxies = append(f.proxies, x)
	}
	var said []string
	o := Options{
		CLI: admin.New(admin.Options{Process: f}), Exporter: page.Exporter, MonitorURI: page.MonitorURI, Page: page.Page,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "metrics") }),
		Say: func(refused bool, text string) {
			said = append(said, map[bool]string{true: "refused: ", false: "done: "}[refused]+text)
		},
	}
	return NewSite(o), f, &said
}

// ask sends one request from an address.
func ask(s http.Handler, r *http.Request, source string) *httptest.ResponseRecorder {
	r.RemoteAddr = source
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func get(path string) *http.Request { return httptest.NewRequest("GET", path, nil) }

func withUser(r *http.Request, user, password string) *http.Request {
	r.SetBasicAuth(user, password)
	return r
}

const local, far = "127.0.0.1:4000", "192.0.2.99:4000"

const pageConfig = `
listen stats
 mode http
 bind 127.0.0.1:1
 stats enable
 stats refresh 5s
 stats auth ops:se:cret
 stats auth guest:
 stats realm the "inner" room
 stats admin if LOCALHOST
 monitor-uri /alive
 http-request use-service prometheus-exporter if { path /metrics } LOCALHOST
`

func TestAddresses(t *testing.T) {
	s, _, _ := newSite(t, strings.ReplaceAll(pageConfig, `the "inner" room`, `'the "inner" room'`))
	for _, test := range []struct {
		name    string
		request *http.Request
		source  string
		code    int
		kind    string // of the content
		text    string // part of the body
	}{
		{"the page", withUser(get("/haproxy?stats"), "ops", "se:cret"), far, 200, "text/html; charset=utf-8", "<title>sluice</title>"},
		{"with options", withUser(get("/haproxy?stats;norefresh;up"), "ops", "se:cret"), far, 200, "text/html; charset=utf-8", `data-up="true" data-paused="true"`},
		{"an empty password", withUser(get("/haproxy?stats"), "guest", ""), far, 200, "text/html; charset=utf-8", "</html>"},
		{"CSV", withUser(get("/haproxy?stats;csv"), "ops", "se:cret"), far, 200, "text/plain; charset=utf-8", "# pxname,svname,"},
		{"CSV as check plugins ask", withUser(get("/haproxy?stats;csv;norefresh"), "ops", "se:cret"), far, 200, "text/plain; charset=utf-8", "\nweb,a,"},
		{"JSON", withUser(get("/haproxy?stats;json"), "ops", "se:cret"), far, 200, "application/json", `[[{"objType":"Frontend"`},
		{"typed", withUser(get("/haproxy?stats;typed"), "ops", "se:cret"), far, 200, "text/plain; charset=utf-8", "S.2.1.0.pxname.1:KNS:str:web"},
		{"data", withUser(get("/haproxy?stats;data"), "ops", "se:cret"), far, 200, "application/json", `"admin":false`},
		{"a wrong password", withUser(get("/haproxy?stats"), "ops", "secret"), far, 401, "", "password"},
		{"another's password", withUser(get("/haproxy?stats"), "guest", "se:cret"), far, 401, "", "password"},
		{"no password", get("/haproxy?stats"), far, 401, "", "password"},
		{"alive", get("/alive"), far, 200, "", "alive"},
		{"metrics", get("/metrics"), local, 200, "", "metrics"},
		{"metrics from afar", get("/metrics"), far, 404, "", "nothing"},
		{"nothing", get("/"), far, 404, "", "nothing"},
		{"another method", withUser(httptest.NewRequest("PUT", "/haproxy?stats", nil), "ops", "se:cret"), far, 405, "", "method"},
		{"another method for metrics", httptest.NewRequest("DELETE", "/metrics", nil), local, 405, "", "method"},
	} {
		w := ask(s, test.request, test.source)
		if w.Code != test.code || !strings.Contains(w.Body.String(), test.text) || test.kind != "" && w.Header().Get("Content-Type") != test.kind {
			t.Errorf("%s: %d, %s\n%.300s", test.name, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
		for header, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q", test.name, header, got)
			}
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", test.name, policy)
		}
	}
	if got := ask(s, get("/haproxy?stats"), far).Header().Get("WWW-Authenticate"); got != `Basic realm="the \"inner\" room", charset="UTF-8"` {
		t.Errorf("asks with %s", got)
	}
	if got := ask(s, withUser(get("/haproxy?stats;csv"), "ops", "se:cret"), far).Header().Get("Refresh"); got != "5" {
		t.Errorf("Refresh is %q", got)
	}
	head := ask(s, withUser(httptest.NewRequest("HEAD", "/haproxy?stats;csv", nil), "ops", "se:cret"), far)
	if head.Code != 200 || head.Body.Len() > 0 {
		t.Errorf("HEAD: %d with %d bytes", head.Code, head.Body.Len())
	}
}

// What scripts read is what "show stat" says, compressed or not, of the proxies that are in the scope.
func TestScripts(t *testing.T) {
	s, _, _ := newSite(t, "frontend stats\n mode http\n bind :1\n stats uri /s\n stats scope web\n stats scope stats\n stats hide-version\n")
	var want bytes.Buffer
	s.options.CLI.Execute(&want, admin.Operator, "none", "show", "stat")
	var lines []string
	for line := range strings.Lines(want.String()) {
		if !strings.HasPrefix(line, "db,") {
			lines = append(lines, line)
		}
	}
	if got := ask(s, get("/s;csv"), far).Body.String(); got != strings.Join(lines, "") || len(lines) != 5 {
		t.Errorf("CSV:\n%s\nwant\n%s", got, strings.Join(lines, ""))
	}
	r := get("/s;csv")
	r.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
	w := ask(s, r, far)
	z, err := gzip.NewReader(w.Body)
	if err != nil || w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatal(err, w.Header())
	}
	if got, _ := io.ReadAll(z); string(got) != strings.Join(lines, "") {
		t.Errorf("compressed:\n%s", got)
	}
	for _, path := range []string{"/s?scope=we;csv", "/s;csv&scope=we", "/s;scope=w%65;csv"} {
		if got := ask(s, get(path), far).Body.String(); strings.Contains(got, "stats,") || !strings.Contains(got, "\nweb,a,") {
			t.Errorf("%s:\n%s", path, got)
		}
	}
	if got := ask(s, get("/s;csv;up"), far).Body.String(); strings.Contains(got, "web,b,") || !strings.Contains(got, "web,a,") {
		t.Errorf("only what serves:\n%s", got)
	}
	if got := ask(s, get("/s;data"), far).Body.String(); strings.Contains(got, `"version"`) || strings.Contains(got, `"db"`) || strings.Contains(got, `"node"`) {
		t.Errorf("data shows what is hidden: %s", got)
	}
}

// view asks for the data that the page shows.
func view(t *testing.T, s *Site, user, password, source string) (h struct {
	Admin   bool
	Token   string
	Forged  int
	Columns []string
	Proxies []struct {
		Name string
		Rows [][]any
	}
}) {
	t.Helper()
	w := ask(s, withUser(get("/haproxy?stats;data"), user, password), source)
	if err := json.Unmarshal(w.Body.Bytes(), &h); err != nil {
		t.Fatalf("%v in %s", err, w.Body)
	}
	return h
}

func TestData(t *testing.T) {
	s, _, _ := newSite(t, strings.ReplaceAll(pageConfig, `the "inner" room`, "x"))
	h := view(t, s, "guest", "", far)
	if h.Admin || h.Token != "" || len(h.Proxies) != 3 {
		t.Errorf("%+v", h)
	}
	for _, p := range h.Proxies {
		for _, r := range p.Rows {
			if len(r) != len(h.Columns) {
				t.Errorf("a row of %s has %d fields for %d columns", p.Name, len(r), len(h.Columns))
			}
		}
	}
	if row := h.Proxies[1].Rows[1]; row[0] != "b" || row[3] != "MAINT" {
		t.Errorf("the second server is %v", row)
	}
}

// post makes a request as the page's script does.
func post(token string, form url.Values) *http.Request {
	r := httptest.NewRequest("POST", "/haproxy?stats", strings.NewReader(form.Encode()))
	r.Host = "lb1:8404"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://lb1:8404")
	if token != "" {
		r.Header.Set(TokenHeader, token)
	}
	return withUser(r, "ops", "se:cret")
}

func TestChanges(t *testing.T) {
	s, f, said := newSite(t, strings.ReplaceAll(pageConfig, `the "inner" room`, "x"))
	token := view(t, s, "ops", "se:cret", local).Token
	if token == "" {
		t.Fatal("no token for who may change something")
	}
	status := func() string { return f.proxies[1].Backend.Servers()[0].Status().Text }
	maint := url.Values{"action": {"maint"}, "s": {"web/a"}}
	with := func(r *http.Request, header, value string) *http.Request { r.Header.Set(header, value); return r }
	for _, test := range []struct {
		name    string
		request *http.Request
		source  string
		code    int
		forged  bool
	}{
		{"without a token", post("", maint), local, 403, true},
		{"with another's token", post(s.token.of("guest"), maint), local, 403, true},
		{"with a token of another process", post(strings.Repeat("0", len(token)), maint), local, 403, true},
		{"from another origin", with(post(token, maint), "Origin", "http://evil.example"), local, 403, true},
		{"from no origin", with(post(token, maint), "Origin", "null"), local, 403, true},
		{"from another site", with(post(token, maint), "Sec-Fetch-Site", "cross-site"), local, 403, true},
		{"from the same site's other host", with(post(token, maint), "Sec-Fetch-Site", "same-site"), local, 403, true},
		{"by a wrong password", withUser(post(token, maint), "ops", "wrong"), local, 401, false},
		{"from afar", post(token, maint), far, 403, false},
		{"of nothing", post(token, url.Values{"action": {"maint"}}), local, 400, false},
		{"of an unknown kind", post(token, url.Values{"action": {"explode"}, "s": {"web/a"}}), local, 400, false},
	} {
		before := s.forged.Load()
		if w := ask(s, test.request, test.source); w.Code != test.code {
			t.Errorf("a change %s: %d %s", test.name, w.Code, w.Body)
		}
		if forged := s.forged.Load() > before; forged != test.forged {
			t.Errorf("a change %s: counted as forged: %v", test.name, forged)
		}
		if got := status(); got == "MAINT" {
			t.Fatalf("a change %s was made", test.name)
		}
	}
	if n := len(*said); n != 7 || !strings.HasPrefix((*said)[3], `refused: Statistics page: refused a change that did not come from the page (client ops@127.0.0.1, origin "http://evil.example").`) {
		t.Errorf("%d were told: %q", n, *said)
	}

	*said = nil
	w := ask(s, post(token, url.Values{"action": {"maint"}, "s": {"web/a", "web/none"}}), local)
	if got := strings.TrimSpace(w.Body.String()); got != `[{"server":"web/a","ok":true},{"server":"web/none","ok":false,"text":"No such server."}]` {
		t.Errorf("%d %s", w.Code, got)
	}
	if got := status(); got != "MAINT" {
		t.Errorf("it is %s", got)
	}
	if len(*said) != 1 || (*said)[0] != "done: Statistics page: ops@127.0.0.1 did 'set server web/a state maint'." {
		t.Errorf("told: %q", *said)
	}
	// Without the headers of a browser the token alone decides.
	bare := post(token, url.Values{"action": {"shutdown"}, "s": {"web/a"}})
	bare.Header.Del("Origin")
	if w := ask(s, bare, local); w.Code != 200 || len(f.shut) != 1 {
		t.Errorf("%d %s, shut down: %v", w.Code, w.Body, f.shut)
	}
	if got := view(t, s, "ops", "se:cret", local).Forged; got != 7 {
		t.Errorf("the page tells of %d forgeries", got)
	}
}

// Every action is a command that exists, and does to a server that has checks and an agent what it says.
func TestActions(t *testing.T) {
	const text = "frontend stats\n mode http\n bind :1\n stats admin if TRUE\nbackend all\n server x 192.0.2.9:80 check agent-check agent-port 9\n"
	s, _, _ := newSite(t, text)
	v := visitor{source: netip.MustParseAddr("192.0.2.1"), admin: true}
	for _, name := range slices.Sorted(maps.Keys(actions)) { // an agent that is off takes no word
		if r := s.do(v, actions[name], "all/x"); !r.OK || r.Text != "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	s, f, _ := newSite(t, text)
	x := f.proxies[1].Backend.Servers()[0]
	for _, step := range []struct{ action, want string }{
		{"drain", "DRAIN"}, {"maint", "MAINT"}, {"ready", "UP"}, {"hdown", "DOWN"}, {"hrunn", "UP"}, {"hnolb", "NOLB"}, {"hrunn", "UP"}, {"adown", "DOWN (agent)"}, {"arunn", "UP"},
	} {
		s.do(v, actions[step.action], "all/x")
		if got := x.Status().Text; !strings.HasPrefix(got, step.want) {
			t.Errorf("after %s it is %q, not %q", step.action, got, step.want)
		}
	}
	s.page.Scope = []string{"web"}
	if r := s.do(v, actions["maint"], "all/x"); r.OK || x.Status().Text != "UP" {
		t.Errorf("a server outside of the scope: %+v", r)
	}
}
