package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// The scripts of testdata say what happens to servers, and what is logged then. The lines and states of those named haproxy-*
// were taken from runs of HAProxy 2.6, in which the same was brought about with real servers, agents, a name server and its
// command line. The others are about what it does not have, and about time.
//
//	backend NAME [listen] [allbackups] [log-health-checks] [panic-threshold N]
//	server NAME [options as in the configuration]
//	start
//	check B/S STATUS [CODE] [text]     a health check ended
//	agent B/S WORD...                  an agent answered: or a status and a text, if it could not be asked
//	cli B/S maint|ready|drain|health up|stopping|down|weight N|check on|off|agent on|off
//	resolve B/S [no REASON]
//	connects B/S failed N | connects B/S made
//	wait DURATION
//	stat B/S TEXT [key=value...]
//	backend-stat B key=value...
//	<N>LINE                            with severity N&7, a line that the command above it must have logged
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, time: fakeClock{at: time.Second}, servers: map[string]*Server{}, backends: map[string]*Backend{}}
			for i, line := range strings.Split(string(text), "\n") {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
					w.at = fmt.Sprintf("%s:%d", file, i+1)
					w.do(line)
				}
			}
			w.none()
		})
	}
}

// world is the backends of a script.
type world struct {
	t        *testing.T
	at       string // the line
	time     fakeClock
	proxies  []*config.Proxy
	backends map[string]*Backend
	servers  map[string]*Server
	logged   []string
	hastened []string
	shut     []string
}

func (w *world) ShutServer(s *Server, why byte) {
	w.shut = append(w.shut, fmt.Sprintf("%s/%s %c", s.backend.Name, s.Name, why))
}

func (w *world) fail(format string, arguments ...any) {
	w.t.Helper()
	w.t.Fatalf("%s: %s", w.at, fmt.Sprintf(format, arguments...))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.fail("%v", err)
	}
}

func (w *world) number(word string) int {
	n, err := strconv.Atoi(word)
	w.must(err)
	return n
}

// none fails if something was logged that the script does not have.
func (w *world) none() {
	w.t.Helper()
	if len(w.logged) > 0 {
		w.fail("before this: logged as well:\n%s", strings.Join(w.logged, "\n"))
	}
}

func (w *world) do(line string) {
	w.t.Helper()
	if strings.HasPrefix(line, "<") {
		if len(w.logged) == 0 {
			w.fail("not logged:\n%s", line)
		}
		if w.logged[0] != line {
			w.fail("logged:\n%s\nand not:\n%s", w.logged[0], line)
		}
		w.logged = w.logged[1:]
		return
	}
	w.none()
	words := strings.Fields(line)
	switch words[0] {
	case "backend":
		w.declareBackend(words[1], words[2:])
		return
	case "server":
		w.declareServer(words[1], words[2:])
		return
	case "start":
		w.start()
		return
	case "wait":
		d, err := time.ParseDuration(words[1])
		w.must(err)
		w.time.move(d)
		return
	case "backend-stat":
		w.backendStat(words[1], words[2:])
		return
	}
	s := w.servers[words[1]]
	if s == nil {
		w.fail("no server %s", words[1])
	}
	switch arguments := words[2:]; words[0] {
	case "check":
		s.Checked(w.result(arguments))
	case "agent":
		w.agent(s, arguments)
	case "cli":
		w.operate(s, arguments)
	case "resolve":
		s.SetResolved(len(arguments) == 0, strings.Join(arguments[min(1, len(arguments)):], " "))
	case "connects":
		if arguments[0] == "made" {
			s.Observe(0, true)
			return
		}
		for range w.number(arguments[1]) {
			s.Observe(0, false)
		}
	case "stat":
		w.stat(s, strings.TrimSpace(strings.TrimPrefix(line, "stat "+words[1])))
	default:
		w.fail("unknown: %s", words[0])
	}
}

func (w *world) declareBackend(name string, options []string) {
	p := &config.Proxy{Name: name, Kind: config.Backend}
	for i := 0; i < len(options); i++ {
		switch options[i] {
		case "listen":
			p.Kind = config.Listen
		case "allbackups":
			p.Options.AllBackups = true
		case "log-health-checks":
			p.Options.LogHealthChecks = true
		case "panic-threshold":
			i++
			p.PanicThreshold = w.number(options[i])
		default:
			w.fail("unknown: %s", options[i])
		}
	}
	w.proxies = append(w.proxies, p)
}

func (w *world) declareServer(name string, options []string) {
	p := w.proxies[len(w.proxies)-1]
	s := &config.Server{Name: name, ID: len(p.Servers) + 1, Weight: 1, TOS: -1, Check: config.Check{Rise: 2, Fall: 3}}
	p.Servers = append(p.Servers, s)
	s.Damping = config.Damping{Window: time.Minute, Least: 10 * time.Second, Most: 5 * time.Minute}
	for i := 0; i < len(options); i++ {
		next := func() string { i++; return options[i] }
		duration := func() time.Duration { d, err := time.ParseDuration(next()); w.must(err); return d }
		switch options[i] {
		case "check":
			s.Check.Enabled = true
		case "agent-check":
			s.Check.Agent = true
		case "rise":
			s.Check.Rise = w.number(next())
		case "fall":
			s.Check.Fall = w.number(next())
		case "inter":
			s.Check.Inter = duration()
		case "fastinter":
			s.Check.FastInter = duration()
		case "downinter":
			s.Check.DownInter = duration()
		case "weight":
			s.Weight = w.number(next())
		case "backup":
			s.Backup = true
		case "disabled":
			s.Disabled = true
		case "track":
			s.Track = next()
		case "init-state":
			s.InitState = next()
		case "host":
			s.Address.Host = next()
		case "observe":
			s.Observe = next()
		case "error-limit":
			s.ErrorLimit = w.number(next())
		case "on-error":
			s.OnError = next()
		case "on-marked-down":
			s.OnMarkedDown = next()
		case "on-marked-up":
			s.OnMarkedUp = next()
		case "slowstart":
			s.SlowStart = duration()
		case "on-new":
			s.SlowStartOnNew = true
		case "damp":
			s.Damping.Changes = w.number(next())
		case "maxconn":
			s.MaxConn = w.number(next())
			s.MinConn = s.MaxConn
		default:
			w.fail("unknown: %s", options[i])
		}
	}
}

func (w *world) start() {
	for _, p := range w.proxies {
		b, err := build(p, 0, 1, w.time.clock())
		w.must(err)
		b.Sessions = w
		b.OnEvent = func(e Event) { w.logged = append(w.logged, fmt.Sprintf("<%d>%s", e.Severity|16<<3, e.Text)) }
		w.backends[p.Name] = b
		for _, s := range b.Servers() {
			name := p.Name + "/" + s.Name
			w.servers[name] = s
			s.OnHasten = func(d time.Duration) { w.hastened = append(w.hastened, fmt.Sprint(name, " ", d)) }
		}
	}
	for _, p := range w.proxies {
		for i, c := range p.Servers {
			if c.Track != "" {
				w.must(w.backends[p.Name].Servers()[i].Follow(w.servers[c.Track]))
			}
		}
	}
	for _, b := range w.backends {
		b.Start()
	}
}

// result reads "L7STS 500 Because", "L4CON Connection refused".
func (w *world) result(words []string) CheckResult {
	status, ok := ParseCheckStatus(words[0])
	if !ok {
		w.fail("no status %s", words[0])
	}
	r := CheckResult{Status: status}
	words = words[1:]
	if status.coded() && len(words) > 0 {
		r.Code = w.number(words[0])
		words = words[1:]
	}
	r.Text = strings.Join(words, " ")
	return r
}

// agent gives s what an agent that says these words is reported as.
func (w *world) agent(s *Server, words []string) {
	r := AgentReport{Result: CheckResult{Status: CheckNoted}, Weight: -1, MaxConn: -1}
	if _, failed := ParseCheckStatus(words[0]); failed {
		r.Result = w.result(words)
		words = nil
	}
	for i, word := range words {
		if strings.HasPrefix(word, "#") {
			r.Text = strings.TrimPrefix(strings.Join(words[i:], " "), "#")
			break
		}
		switch {
		case word == "up":
			r.Health, r.Result.Status = AgentUp, CheckL7OK
		case word == "down":
			r.Health, r.Result.Status = AgentDown, CheckL7Failed
		case word == "fail":
			r.Health, r.Result.Status = AgentFailed, CheckL7Failed
		case word == "stopped":
			r.Health, r.Result.Status = AgentStopped, CheckL7Failed
		case word == "ready":
			r.Admin = AgentReady
		case word == "drain":
			r.Admin = AgentDrain
		case word == "maint":
			r.Admin = AgentMaint
		case strings.HasSuffix(word, "%"):
			r.Weight, r.Percent = w.number(strings.TrimSuffix(word, "%")), true
		case strings.HasPrefix(word, "maxconn:"):
			r.MaxConn = w.number(word[len("maxconn:"):])
		case word == "nothing":
		default:
			w.fail("unknown: %s", word)
		}
	}
	s.AgentReported(r)
}

func (w *world) operate(s *Server, words []string) {
	switch strings.Join(words, " ") {
	case "maint":
		s.SetAdmin(Maint)
	case "ready":
		s.SetAdmin(Ready)
	case "drain":
		s.SetAdmin(Drain)
	case "health up":
		s.SetHealth(HealthUp)
	case "health stopping":
		s.SetHealth(HealthStopping)
	case "health down":
		s.SetHealth(HealthDown)
	case "check on", "check off":
		s.SetChecksEnabled(words[1] == "on")
	case "agent on", "agent off":
		s.SetAgentEnabled(words[1] == "on")
	default:
		if words[0] != "weight" {
			w.fail("unknown: %s", words)
		}
		s.SetWeight(w.number(words[1]))
	}
}

// stat compares the state with "TEXT key=value...".
func (w *world) stat(s *Server, want string) {
	w.t.Helper()
	st := s.Status()
	words := strings.Fields(want)
	i := len(words)
	for i > 0 && strings.Contains(words[i-1], "=") {
		i--
	}
	if text := strings.Join(words[:i], " "); st.Text != text {
		w.fail("%s/%s is %q, not %q", s.backend.Name, s.Name, st.Text, text)
	}
	if usable := st.Text == "no check" || strings.HasPrefix(st.Text, "UP"); st.Usable != (usable && st.Weight > 0) {
		w.fail("%s/%s is %s, usable: %v", s.backend.Name, s.Name, st.Text, st.Usable)
	}
	for _, word := range words[i:] {
		key, value, _ := strings.Cut(word, "=")
		got := map[string]string{
			"chkfail": fmt.Sprint(st.FailedChecks), "chkdown": fmt.Sprint(st.Downs), "hanafail": fmt.Sprint(st.ObservedFailures),
			"health": fmt.Sprint(st.Health), "weight": fmt.Sprint(st.Weight), "effective": fmt.Sprint(s.effectiveWeight()),
			"check": st.Check.Status.Name(), "agent": st.Agent.Status.Name(), "maxconn": fmt.Sprint(s.MaxConn()),
			"lastchg": fmt.Sprint(int(st.SinceChange.Seconds())), "downtime": fmt.Sprint(int(st.DownTime.Seconds())),
			"interval": s.CheckInterval().String(), "checked": fmt.Sprint(s.CheckEnabled()), "slots": fmt.Sprint(s.slots.Limit()),
			"open": fmt.Sprint(s.slots.IsOpen()), "throttle": fmt.Sprint(st.SlowStart), "damped": st.Damped.String(),
			"hastened": strings.ReplaceAll(strings.Join(w.hastened, ","), " ", "@"),
		}[key]
		if got != value {
			w.fail("%s/%s: %s is %q, not %q", s.backend.Name, s.Name, key, got, value)
		}
	}
}

func (w *world) backendStat(name string, words []string) {
	w.t.Helper()
	st := w.backends[name].Status()
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		got := map[string]string{
			"up": fmt.Sprint(st.Up), "act": fmt.Sprint(st.Active), "bck": fmt.Sprint(st.Backup), "weight": fmt.Sprint(st.Weight),
			"chkdown": fmt.Sprint(st.Downs), "panics": fmt.Sprint(st.Panics),
			"lastchg": fmt.Sprint(int(st.SinceChange.Seconds())), "downtime": fmt.Sprint(int(st.DownTime.Seconds())),
		}[key]
		if got != value {
			w.fail("%s: %s is %q, not %q", name, key, got, value)
		}
	}
}
