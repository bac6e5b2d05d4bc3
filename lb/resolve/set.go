package resolve

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-lb/sluice/lb/config"
)

// Options of a set.
type Options struct {
	// Address turns a name server's configured address into one to send to; its port is 0 if none was configured. nil:
	// only literal addresses.
	Address func(config.Address) (netip.AddrPort, error)
	// ResolvConf is the file of parse-resolv-conf; empty: /etc/resolv.conf.
	ResolvConf string
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Set is all "resolvers" sections of a configuration.
type Set struct {
	sections map[string]*loop
	order    []*loop
	stop     sync.Once
}

// New makes the sections, without asking anything yet. An error names the section or the name server at fault.
func New(sections []*config.Resolvers, o Options) (*Set, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ResolvConf == "" {
		o.ResolvConf = "/etc/resolv.conf"
	}
	set := &Set{sections: make(map[string]*loop)}
	for _, c := range sections {
		addresses, err := nameServers(c, o)
		if err != nil {
			return nil, err
		}
		l := newLoop(c, o.Now)
		for _, a := range addresses {
			l.addServer(a)
		}
		set.sections[c.Name] = l
		set.order = append(set.order, l)
	}
	return set, nil
}

// Start begins to ask.
func (s *Set) Start() {
	for _, l := range s.order {
		l.start()
	}
}

// Stop ends every goroutine and closes every socket. No watcher is told of anything once it has returned. It must not be
// called by a watcher.
func (s *Set) Stop() {
	s.stop.Do(func() {
		for _, l := range s.order {
			l.end()
		}
	})
}

// Watch is one who wants to know.
type Watch struct {
	query Query
	loop  *loop
	tell  func(Answer)

	listener *listener // of a host
	service  *service
}

// Watch has tell called, on the section's goroutine, with the outcome of a query whenever it changes; if others asked the
// same before, with what is known so far. An error: there is no such section, or the name cannot be asked for.
func (s *Set) Watch(q Query, tell func(Answer)) (*Watch, error) {
	l := s.sections[q.Section]
	if l == nil {
		return nil, fmt.Errorf("unable to find required resolvers '%s'", q.Section)
	}
	if !supported(q.Name) {
		return nil, fmt.Errorf("'%s' is not a domain name", q.Name)
	}
	w := &Watch{query: q, loop: l, tell: tell}
	l.post(w.begin)
	return w, nil
}

func (w *Watch) begin() {
	kind := dns.TypeAAAA
	if w.query.PreferIPv4 {
		kind = dns.TypeA
	}
	name := dns.CanonicalName(w.query.Name)
	if w.query.Service {
		w.service = w.loop.section.watchService(w, name, kind)
		return
	}
	w.listener = w.loop.section.listen(key{name, kind}, w.tell)
}

// Assume says that the watcher has addresses from elsewhere, from now on: until there is an answer, they are held as an
// answer's would be when asking fails. Call it before [Set.Start].
func (w *Watch) Assume() {
	w.loop.post(func() {
		if w.service != nil {
			w.service.listener.question.assumed = w.loop.now()
		} else if w.listener != nil {
			w.listener.question.assumed = w.loop.now()
		}
	})
}

// Again asks now instead of at the end of the period, unless the last answer is younger than "hold valid".
func (w *Watch) Again() {
	w.loop.post(func() {
		if w.service != nil {
			w.service.again(w.loop.now())
		} else if w.listener != nil {
			w.listener.question.again(w.loop.now())
		}
	})
}

// Stop ends the watch. It may still be told of what was on its way.
func (w *Watch) Stop() {
	w.loop.post(func() {
		switch {
		case w.service != nil:
			w.service.leave(w)
		case w.listener != nil:
			w.loop.section.leave(w.listener)
		}
		w.service, w.listener = nil, nil
	})
}

// Status is a snapshot of all counters, in the order of the configuration.
func (s *Set) Status() []SectionStatus {
	var all []SectionStatus
	for _, l := range s.order {
		status := SectionStatus{Name: l.section.config.Name}
		for _, n := range l.section.servers {
			status.Servers = append(status.Servers, ServerStatus{n.name, n.snapshot()})
		}
		all = append(all, status)
	}
	return all
}
