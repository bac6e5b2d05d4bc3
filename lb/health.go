package lb

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// healthNews carries the servers' changes to the logs, to standard error and to the mailers.
//
// An event comes under its backend's lock, on a loop or a check's goroutine. Its line is handed to the log at once, which does
// not block; standard error may be a pipe that nobody reads, so what is said there goes through a goroutine of its own, in
// order, and is lost, counted, when that is too far behind.
type healthNews struct {
	say  func(config.Severity, string)
	mail atomic.Pointer[func(*config.Proxy, backend.Event)] // nil: no mail

	lines chan saying
	lost  atomic.Uint64
	quit  chan struct{}
	once  sync.Once
}

type saying struct {
	severity config.Severity
	text     string
}

// sayingsAhead is how many lines may wait for standard error: as many as come when a large backend goes down at once.
const sayingsAhead = 8192

func newHealthNews(say func(config.Severity, string)) *healthNews {
	n := &healthNews{say: say, lines: make(chan saying, sayingsAhead), quit: make(chan struct{})}
	go n.run()
	return n
}

func (n *healthNews) run() {
	for {
		select {
		case line := <-n.lines:
			n.say(line.severity, line.text)
			if lost := n.lost.Swap(0); lost > 0 {
				n.say(config.Warning, fmt.Sprintf("%d messages about servers were not written here: nobody read them.", lost))
			}
		case <-n.quit:
			return
		}
	}
}

// event tells one change of a server of p.
func (n *healthNews) event(p *config.Proxy, log *tcplog.Logger, e backend.Event) {
	log.Message(tcplog.Level(e.Severity), e.Text)
	line := saying{config.Warning, e.Text}
	if e.Kind == backend.EventBackendDown { // in quotes here, and not in the log: so it is with HAProxy
		kind, rest, _ := strings.Cut(e.Text, " ")
		line = saying{config.Alert, kind + " '" + p.Name + "'" + strings.TrimPrefix(rest, p.Name)}
	}
	select {
	case n.lines <- line:
	default:
		n.lost.Add(1)
	}
	if mail := n.mail.Load(); mail != nil {
		(*mail)(p, e)
	}
}

// close ends the goroutine. Events that come later are only logged.
func (n *healthNews) close() { n.once.Do(func() { close(n.quit) }) }

// OnHealth has f told every change of a server, besides the logs: for mail. It is called under the backend's lock, and must
// neither block nor call back.
func (b *Balancer) OnHealth(f func(*config.Proxy, backend.Event)) { b.news.mail.Store(&f) }

// connectHealth leads the backends' events to their logs, their wish to end flows to the loops, and ties servers to those
// that they track.
func (b *Balancer) connectHealth() error {
	var errs []error
	for _, p := range b.config.Proxies {
		fb := b.backends[p.Name]
		if fb == nil || p.Disabled || p.Kind&config.Backend == 0 {
			continue
		}
		fb.OnEvent = func(e backend.Event) { b.news.event(p, b.loggers[p.Name], e) }
		fb.Sessions = b.process
		for _, s := range fb.Servers() {
			if s.Config.Track == "" {
				continue
			}
			if err := b.track(s, s.Config); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// track makes s follow the server that c names as "backend/server".
func (b *Balancer) track(s *backend.Server, c *config.Server) error {
	tracked := b.serverNamed(c.Track)
	if tracked == nil {
		return at(c.Pos, "server '%s': cannot track '%s', whose proxy is disabled or has no servers", c.Name, c.Track)
	}
	if err := s.Follow(tracked); err != nil {
		return at(c.Pos, "%w", err)
	}
	return nil
}

// serverNamed finds a server by "backend/server"; nil: there is none.
func (b *Balancer) serverNamed(name string) *backend.Server {
	for _, p := range b.config.Proxies {
		fb := b.backends[p.Name]
		if fb == nil || len(name) <= len(p.Name) || name[:len(p.Name)] != p.Name || name[len(p.Name)] != '/' {
			continue
		}
		for _, s := range fb.Servers() {
			if s.Name == name[len(p.Name)+1:] {
				return s
			}
		}
	}
	return nil
}
