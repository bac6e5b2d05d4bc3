package admin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// fake is a process with real backends and no loops.
type fake struct {
	mu       sync.Mutex
	proxies  []*Proxy
	address  map[string]netip.AddrPort // by backend/server
	state    map[string]FrontendState
	maxConn  int
	sessions []Session
	denied   []netip.Prefix
	shut     []string
	info     Info
	events   events
	breaks   bool // a command panics
}

func (f *fake) Info() Info {
	f.mu.Lock()
	defer f.mu.Unlock()
	i := f.info
	i.MaxConn, i.HardMaxConn = f.maxConn, 1000
	return i
}
func (f *fake) Proxies() []*Proxy { return f.proxies }
func (f *fake) Loops() []Loop {
	return []Loop{{Thread: os.Getpid(), Flows: 2, Accepted: 7, Turns: 10, Events: 20, Busy: time.Second, Waiting: 3 * time.Second, LongestGap: time.Millisecond, Gaps: []uint64{0, 5, 4, 0, 1}}, {}}
}
func (f *fake) Guard() (*Guard, error) {
	return &Guard{Interfaces: []string{"eth0 (native)"}, Denied: f.denied, DropsDenied: 5, DropsSource: 4, DropsPrefix: 3, SYNs: 20, Opaque: 1}, nil
}
func (f *fake) Deny(p netip.Prefix) error { f.denied = append(f.denied, p); return nil }
func (f *fake) Allow(p netip.Prefix) (bool, error) {
	i := slices.Index(f.denied, p)
	if i >= 0 {
		f.denied = slices.Delete(f.denied, i, i+1)
	}
	return i >= 0, nil
}
func (f *fake) Steering() *Steering {
	return &Steering{Mode: "least", Groups: 1, Hashed: 3, Stalled: 2, Gone: 1, Loops: []SteeredLoop{{9, 0, 9, 4}, {}}}
}
func (f *fake) Namespaces() []Namespace {
	return []Namespace{
		{Name: "blue", Present: true, Inode: 4026532000, Since: 90 * time.Second, Binds: 1, Servers: 2, Waiting: 8, Taken: 70, Missed: 3, Failed: 1, Came: 2, Went: 1},
		{Name: "/run/green", Late: true, Since: 5 * time.Second},
		{Name: "red", Problem: "not permitted"},
	}
}

func (f *fake) Lookup() *Lookup { return &Lookup{2, 1, 50, 4, 3, 1} }
func (f *fake) Resolvers() []Resolvers {
	return []Resolvers{{"dns", []NameServer{{"ns1", []Counter{{"sent", 3}, {"nx", 1}}}}}}
}
func (f *fake) Tenants() []Tenant {
	t := Tenant{Tenant: &config.Tenant{Name: "t", Namespace: "blue", MaxConn: 5, BandwidthIn: 1000}, Flows: &stats.Gauge{}, Stats: stats.New(1), Waiting: 2}
	t.Flows.Add(3)
	t.Stats.Add(0, stats.Throttled, 7)
	return []Tenant{t}
}
func (f *fake) Rings() []Ring {
	return []Ring{
		{"one", "the first", func() uint64 { return 3 }, f.events.follow},
		{"two", "two", func() uint64 { return 0 }, (&events{}).follow},
	}
}
func (f *fake) StartupLogs() []string {
	if f.breaks {
		panic("broken")
	}
	return []string{"[WARNING]  (1) : something"}
}
func (f *fake) WriteServerState(w io.Writer, name string) error {
	_, err := io.WriteString(w, "1\n# be_id\nof "+name+"\n")
	return err
}
func (f *fake) Address(s *backend.Server) (netip.AddrPort, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.address[s.Backend().Name+"/"+s.Name], ""
}
func (f *fake) SetAddress(s *backend.Server, to netip.AddrPort) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.address[s.Backend().Name+"/"+s.Name] = to
	return nil
}
func (f *fake) SetCheck(s *backend.Server, agent bool, address netip.Addr, port uint16) error {
	f.shut = append(f.shut, fmt.Sprint(s.Name, " ", agent, " ", address, " ", port))
	return nil
}
func (f *fake) SetName(s *backend.Server, name string) (string, error) {
	if name == "bad" {
		return "", errors.New("invalid")
	}
	f.shut = append(f.shut, s.Name+" is "+name)
	return "old", nil
}
func (f *fake) SetAgentSend(s *backend.Server, text string) error {
	f.shut = append(f.shut, s.Name+" hears "+text)
	return nil
}
func (f *fake) SetRates(connections, sessions int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if connections >= 0 {
		f.info.ConnRateLimit = connections
	}
	if sessions >= 0 {
		f.info.SessRateLimit = sessions
	}
}
func (f *fake) SetFrontend(p *Proxy, to FrontendState) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state[p.Name] = to
	return nil
}
func (f *fake) SetMaxConn(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.maxConn = n; n == 0 {
		f.maxConn = 1000
	}
}
func (f *fake) Sessions(_ bool, each func([]Session) bool) {
	for i := range f.sessions {
		if !each(f.sessions[i : i+1]) {
			return
		}
	}
}
func (f *fake) ShutSession(id uint64) bool {
	for _, s := range f.sessions {
		if s.ID == id {
			f.shut = append(f.shut, s.Client)
			return true
		}
	}
	return false
}
func (f *fake) ShutServerSessions(s *backend.Server) {
	f.shut = append(f.shut, s.Backend().Name+"/"+s.Name)
}
func (f *fake) ClearMaxima() {}
func (f *fake) AddServer(p *Proxy, words []string) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shut = append(f.shut, p.Name+" "+strings.Join(words, " "))
	if len(words) < 2 {
		return nil, errors.New("no address")
	}
	return words[2:], nil
}
func (f *fake) RemoveServer(s *backend.Server) error { return s.Backend().Remove(s) }

const testConfig = `
global
    maxconn 1000
frontend fe
    bind 127.0.0.1:1 name one
    maxconn 100
    option socket-stats
    default_backend be
backend be
    balance roundrobin
    server s1 127.0.0.1:11 weight 10 maxconn 5 check
    server s2 127.0.0.1:12 weight 20 backup maxqueue 3
    server s3 127.0.0.1:13 disabled
    server s4 127.0.0.1:14 track be/s1 agent-check agent-port 9
backend static
    balance static-rr
    server x1 127.0.0.1:21 weight 7
`

func newFake(t testing.TB) *fake {
	t.Helper()
	cfg, found := config.Load([]config.File{{Name: "test", Data: []byte(testConfig)}}, config.NewEnv(nil), config.LoadOptions{})
	if cfg == nil {
		t.Fatal(found)
	}
	f := &fake{address: map[string]netip.AddrPort{}, state: map[string]FrontendState{}, maxConn: 1000, info: Info{Version: "9", Node: "here", Loops: 2, Pipes: 3, IdlePipes: 4, Runnable: 5}}
	for _, p := range cfg.Proxies {
		x := &Proxy{Proxy: p, FullConn: 10}
		if p.Kind&config.Frontend != 0 {
			limit := 100
			x.Frontend = &Frontend{
				Stats: stats.New(2), Flows: &stats.Gauge{}, Limit: func() int { return limit }, SetMaxConn: func(n int) { limit = n },
				State: func() FrontendState { f.mu.Lock(); defer f.mu.Unlock(); return f.state[p.Name] },
				Binds: []Bind{{ID: 1, Name: "one", Address: "127.0.0.1:1", Stats: stats.New(2), Flows: &stats.Gauge{}}},
			}
		}
		if p.Kind&config.Backend != 0 {
			b, err := backend.New(p, 0, 2)
			if err != nil {
				t.Fatal(err)
			}
			x.Backend = b
			for i, s := range p.Servers {
				f.address[p.Name+"/"+s.Name] = netip.AddrPortFrom(s.Address.IP, uint16(s.Address.Port))
				if s.Track != "" {
					if err := b.Servers()[i].Follow(b.Servers()[0]); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		f.proxies = append(f.proxies, x)
	}
	return f
}

// listen serves f on a unix socket of each level and gives the path for a level.
func listen(t testing.TB, f *fake, o Options) func(Level) string {
	t.Helper()
	dir := t.TempDir()
	o.Process = f
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxConn == 0 {
		o.MaxConn = 10
	}
	c := New(o)
	path := func(l Level) string { return filepath.Join(dir, l.String()) }
	for _, l := range []Level{User, Operator, Admin} {
		listener, err := net.Listen("unix", path(l))
		if err != nil {
			t.Fatal(err)
		}
		c.Listen(listener, Socket{Name: "unix@" + l.String(), Level: l, Output: "none"})
	}
	c.Start()
	t.Cleanup(c.Close)
	return path
}

// ask sends text to a socket, shuts that side down, and gives all that comes.
func ask(t testing.TB, path, text string) string {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	conn.(*net.UnixConn).CloseWrite()
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return string(answer)
}

// lines reads up to an empty line.
func lines(t testing.TB, r *bufio.Reader) []string {
	t.Helper()
	var all []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		if line = strings.TrimSuffix(line, "\n"); line == "" {
			return all
		}
		all = append(all, line)
	}
}
