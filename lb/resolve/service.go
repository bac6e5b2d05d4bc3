package resolve

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// service is a service's question together with those for its targets. Watchers are told of the whole.
type service struct {
	key      key // with the kind of the targets' questions
	section  *section
	listener *listener
	records  Answer // the service's own
	targets  map[string]*listener
	hosts    map[string]Answer // outcomes of the targets
	outcome  Answer
	asked    bool
	watchers []*Watch
	updating bool
}

// watchService has a watch told of a service.
func (s *section) watchService(w *Watch, name string, kind uint16) *service {
	at := key{name, kind}
	v := s.services[at]
	if v == nil {
		v = &service{section: s, key: at, targets: make(map[string]*listener), hosts: make(map[string]Answer)}
		s.services[at] = v
		v.listener = s.listen(key{name, dns.TypeSRV}, func(a Answer) { v.records = a; v.update() })
	}
	v.watchers = append(v.watchers, w)
	if v.asked {
		w.tell(v.answer(w))
	}
	return v
}

func (v *service) answer(w *Watch) Answer {
	a := v.outcome
	a.First = len(v.watchers) > 0 && v.watchers[0] == w
	return a
}

// update asks for what targets are new, drops those that are gone, and tells the watchers if the whole has changed.
func (v *service) update() {
	if v.updating {
		return // a target's outcome was there at once; the caller goes on with it
	}
	v.updating = true
	needed := make(map[string]bool)
	for _, r := range v.records.Services {
		if !r.Additional {
			needed[r.Target] = true
		}
	}
	for host, l := range v.targets {
		if !needed[host] {
			v.section.leave(l)
			delete(v.targets, host)
			delete(v.hosts, host)
		}
	}
	for host := range needed {
		if v.targets[host] == nil {
			v.targets[host] = v.section.listen(key{dns.CanonicalName(host), v.key.kind}, func(a Answer) {
				v.hosts[host] = a
				v.update()
			})
		}
	}
	v.updating = false
	v.publish()
}

func (v *service) publish() {
	next := v.records
	next.Services = slices.Clone(next.Services)
	for i := range next.Services {
		r := &next.Services[i]
		before := v.before(r)
		if r.Additional {
			if before != nil {
				r.Host.Addrs = inOrder(before.Host.Addrs, r.Host.Addrs)
			}
		} else if host, asked := v.hosts[r.Target]; asked {
			r.Host, r.Asked = host, true
		} else if before != nil {
			r.Host, r.Asked = before.Host, before.Asked // came along before; it is being asked for
		}
	}
	changed := !v.asked || !next.same(&v.outcome)
	v.outcome, v.asked = next, true
	if changed {
		for _, w := range slices.Clone(v.watchers) {
			w.tell(v.answer(w))
		}
	}
}

// before is the same target as it was told last.
func (v *service) before(r *Service) *Service {
	i := slices.IndexFunc(v.outcome.Services, func(x Service) bool { return x.Target == r.Target && x.Port == r.Port })
	if i < 0 {
		return nil
	}
	return &v.outcome.Services[i]
}

// inOrder is got with the addresses that were there before in their old order.
func inOrder(before, got []netip.Addr) []netip.Addr {
	var all []netip.Addr
	for _, a := range before {
		if slices.Contains(got, a) {
			all = append(all, a)
		}
	}
	for _, a := range got {
		if !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	return all
}

func (v *service) leave(w *Watch) {
	if v.watchers = slices.DeleteFunc(v.watchers, func(x *Watch) bool { return x == w }); len(v.watchers) > 0 {
		return
	}
	for _, l := range v.targets {
		v.section.leave(l)
	}
	v.section.leave(v.listener)
	delete(v.section.services, v.key)
}

func (v *service) again(now time.Time) {
	v.listener.question.again(now)
	for _, l := range v.targets {
		l.question.again(now)
	}
}

// IsService tells whether a name is a service's: those begin with an underscore.
func IsService(name string) bool { return strings.HasPrefix(name, "_") }
