package lb

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/systemd"
)

// serviceManager tells the service manager how the process fares; docs/systemd.md is for its users. A process without a manager has one
// too, whose notifier is nil.
type serviceManager struct {
	notifier *systemd.Notifier
	balancer managedView
	warn     func(error) // a message that could not be sent
	every    <-chan time.Time
	failed   atomic.Bool // the last message could not be sent: that is told once
	last     string      // what the manager's line is; ready's, then renew's
}

// managedView is what the manager is told of: a Balancer.
type managedView interface {
	summary() summary
	answers() bool // waits until every loop has taken mail; false: the loops have ended
	Done() <-chan struct{}
}

// summary is what fits in a line.
type summary struct {
	listeners, servers, up, connections int
	stopping                            bool
}

// statusEvery is how often the manager's line is looked at; it is sent if it changed.
const statusEvery = 10 * time.Second

func (s summary) String() string {
	if s.stopping {
		return "Stopping: " + counted(s.connections, "connection") + " left"
	}
	return fmt.Sprintf("Ready: %s, %s (%d up), %s",
		counted(s.listeners, "listener"), counted(s.servers, "server"), s.up, counted(s.connections, "connection"))
}

// counted is a number with its thousands told apart, and its noun.
func counted(n int, noun string) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	b.WriteByte(' ')
	b.WriteString(noun)
	if n != 1 {
		b.WriteByte('s')
	}
	return b.String()
}

// summary counts what the process has. It takes each backend's mutex for the time of one server's reading.
func (b *Balancer) summary() summary {
	s := summary{connections: int(b.process.Flows.Value()), stopping: b.stopping.Load()}
	for _, f := range b.frontends {
		s.listeners += len(f.Binds)
	}
	for _, fb := range b.backends {
		for _, server := range fb.Servers() {
			s.servers++
			if server.Usable() {
				s.up++
			}
		}
	}
	return s
}

func (b *Balancer) answers() bool { return b.onLoops(func(int) {}) }

// ready says that every listener accepts, and begins to show the watchdog that the loops turn. Its goroutines end with the
// balancer.
func (s *serviceManager) ready() {
	if s.notifier == nil {
		return
	}
	text := s.balancer.summary().String()
	s.say(systemd.Ready, systemd.MainPID(os.Getpid()), systemd.Status("%s", text))
	s.last = text
	go s.renew()
	if limit := s.notifier.WatchdogTime(); limit > 0 {
		go s.watch(limit / 2)
	}
}

// renew keeps the manager's line true.
func (s *serviceManager) renew() {
	every := s.every
	if every == nil {
		ticker := time.NewTicker(statusEvery)
		defer ticker.Stop()
		every = ticker.C
	}
	for {
		select {
		case <-s.balancer.Done():
			return
		case <-every:
		}
		if text := s.balancer.summary().String(); text != s.last {
			s.last = text
			s.say(systemd.Status("%s", text))
		}
	}
}

// watch sends the watchdog's message as often as given, each time only after every loop has taken a mail that was posted for it: a loop that
// is stuck in a turn keeps it back for as long.
func (s *serviceManager) watch(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for s.balancer.answers() {
		s.say(systemd.Watchdog)
		select {
		case <-s.balancer.Done():
			return
		case <-ticker.C:
		}
	}
}

// stopping says that the end has begun. A soft stop may take until patience is over, 0: no bound is known, and the manager's own
// TimeoutStopSec holds.
func (s *serviceManager) stopping(patience time.Duration) {
	if s.notifier == nil {
		return
	}
	said := []string{systemd.Stopping, systemd.Status("%s", summary{connections: s.balancer.summary().connections, stopping: true})}
	if patience > 0 {
		said = append(said, systemd.ExtendTimeout(patience+stopMargin))
	}
	s.say(said...)
}

// stopMargin is what the end takes after "hard-stop-after": flows are cut, log lines sent.
const stopMargin = 5 * time.Second

// failure shows why the process does not start.
func (s *serviceManager) failure(err error) { s.say(systemd.Status("Cannot start: %v", err)) }

func (s *serviceManager) say(assignments ...string) {
	err := s.notifier.Send(assignments...)
	if s.failed.Swap(err != nil) != (err != nil) && err != nil {
		s.warn(err)
	}
}

// newServiceManager connects to the manager that started the process, if one did. A manager that cannot be reached is no reason not
// to start: it says so itself by its own time limit.
func newServiceManager(messages *messages) *serviceManager {
	warn := func(err error) { messages.say(config.Warning, "%v", err) }
	notifier, err := systemd.Open()
	if err != nil {
		warn(err)
	}
	return &serviceManager{notifier: notifier, warn: warn}
}
