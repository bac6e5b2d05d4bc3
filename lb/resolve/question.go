package resolve

import (
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// key names a question within its section. The kind is what is asked first.
type key struct {
	name string // canonical
	kind uint16
}

// question is one name, asked again and again on behalf of all its listeners. It belongs to its section's goroutine.
type question struct {
	key
	section   *section
	listeners []*listener

	// Where it stands: in section.waiting until it is asked, in section.running while it is.
	on    *agenda
	place int
	due   time.Time

	wire    map[uint16][]byte // by kind, with id 0
	current uint16            // the kind asked last
	tries   int               // that are left
	round   int               // counts what was sent, so that a late failure does not count for the round that runs
	sent    int               // name servers that were asked in this round
	failed  int               // those of them that answered with a failure
	failure Failure           // the last one
	pending []*pending        // of all rounds of this time: the answer to any of them will do
	ended   time.Time         // when it was last asked to the end

	addrs    []held[netip.Addr]
	services []held[target]
	outcome  Answer
	asked    bool      // there is an outcome
	known    bool      // the records may be used
	assumed  time.Time // since then a listener has addresses from elsewhere, which a failure may leave in force; zero: none has
}

// held is a record with when an answer last had it.
type held[T any] struct {
	record T
	seen   time.Time
}

// target is a service's record with what came along.
type target struct {
	host               string // canonical
	port               uint16
	priority, weight   uint16
	additional         []netip.Addr
	additionalProvider string
}

// listener is told of a question's outcomes.
type listener struct {
	question *question
	tell     func(Answer)
	gone     bool
}

// pending is one question to one name server.
type pending struct {
	question *question
	server   *nameServer
	kind     uint16
	id       uint16
	round    int
	via      way
	overTCP  bool
	again    bool // sent a second time because the connection ended
}

// begin asks for the first time in a period.
func (q *question) begin(now time.Time) {
	q.tries = max(q.section.config.Retries, 1) - 1
	q.failure = Timeout
	q.ask(now, q.kind)
}

// ask sends a round to every name server.
func (q *question) ask(now time.Time, kind uint16) {
	q.current, q.sent, q.failed = kind, 0, 0
	q.round++
	for _, server := range q.section.servers {
		p := &pending{question: q, server: server, kind: kind, round: q.round, overTCP: server.tcp}
		if server.send(p, now) {
			q.pending = append(q.pending, p)
			q.sent++
		}
	}
	q.section.running.put(q, now.Add(max(q.section.config.TimeoutRetry, time.Millisecond)))
}

// other is the kind to fall back to.
func (q *question) other() uint16 {
	if q.kind == dns.TypeA {
		return dns.TypeAAAA
	}
	return dns.TypeA
}

// refusedBy notes one name server's failure. Once all have failed, the other family is asked for at once; after that, or
// for a service, the next try waits for "timeout retry".
func (q *question) refusedBy(p *pending, f Failure, now time.Time) {
	if p.round != q.round {
		return
	}
	q.failure = f
	if q.failed++; q.failed < q.sent {
		return // the others may know
	}
	switch {
	case q.kind != dns.TypeSRV && q.current == q.kind:
		q.ask(now, q.other())
	case q.tries == 0:
		q.end(now, f)
	}
}

// late is called when "timeout retry" has passed since the last round was sent.
func (q *question) late(now time.Time) {
	for _, p := range q.pending {
		if p.round == q.round {
			p.server.timeout.Add(1)
		}
	}
	fellBack := q.kind == dns.TypeSRV || q.current != q.kind
	switch {
	case q.tries == 0:
		if q.failed == 0 {
			q.failure = Timeout
		}
		q.end(now, q.failure)
	case q.failed == 0 || fellBack:
		q.tries--
		q.ask(now, q.kind)
	default:
		q.ask(now, q.other())
	}
}

// succeed takes a valid answer.
func (q *question) succeed(now time.Time, server *nameServer, c contents) {
	by := q.section.config.Name + "/" + server.name
	obsolete := q.section.config.HoldObsolete
	q.addrs = merge(q.addrs, c.addrs, now, obsolete, func(a, b netip.Addr) bool { return a == b })
	targets := make([]target, len(c.services))
	for i, s := range c.services {
		host := dns.CanonicalName(s.Target)
		targets[i] = target{host, s.Port, s.Priority, s.Weight, c.extra[host], by}
	}
	q.services = merge(q.services, targets, now, obsolete, func(a, b target) bool { return a.host == b.host && a.port == b.port })
	q.known, q.assumed = true, time.Time{}
	q.outcome.Valid, q.outcome.By = now, by
	q.finish(now)
	if q.publish(OK) {
		server.updates.Add(1)
	}
}

// end takes a failure as the outcome of this time. What was known stays in force while the failure's hold lasts.
func (q *question) end(now time.Time, f Failure) {
	if q.known && !now.Before(q.outcome.Valid.Add(q.section.hold(f))) {
		q.known, q.addrs, q.services = false, nil, nil
	}
	if !q.assumed.IsZero() && !now.Before(q.assumed.Add(q.section.hold(f))) {
		q.assumed = time.Time{}
	}
	q.finish(now)
	q.publish(f)
}

func (q *question) finish(now time.Time) {
	q.forget()
	q.ended = now
	q.section.waiting.put(q, now.Add(q.section.period()))
}

// forget lets no answer find q any more.
func (q *question) forget() {
	for _, p := range q.pending {
		p.server.forget(p)
	}
	q.pending = q.pending[:0]
}

// publish tells the listeners what is known now, if it differs from what they were told.
func (q *question) publish(f Failure) bool {
	next := Answer{Failure: f, Stale: f != OK && (q.known || !q.assumed.IsZero()), Valid: q.outcome.Valid, By: q.outcome.By}
	for _, h := range q.addrs {
		next.Addrs = append(next.Addrs, h.record)
	}
	for _, h := range q.services {
		s := Service{Target: display(h.record.host), Port: h.record.port, Priority: h.record.priority, Weight: h.record.weight}
		if len(h.record.additional) > 0 {
			s.Additional, s.Asked = true, true
			s.Host = Answer{Addrs: h.record.additional, Valid: next.Valid, By: h.record.additionalProvider}
		}
		next.Services = append(next.Services, s)
	}
	changed := !q.asked || !next.same(&q.outcome)
	q.outcome, q.asked = next, true
	if changed {
		for i, l := range slices.Clone(q.listeners) { // one may leave while another is told
			if !l.gone {
				l.tell(q.answer(i == 0))
			}
		}
	}
	return changed
}

func (q *question) answer(first bool) Answer {
	a := q.outcome
	a.First = first
	return a
}

// again brings the next time forward, unless the answer is younger than "hold valid".
func (q *question) again(now time.Time) {
	fresh := q.asked && q.outcome.Failure == OK && now.Before(q.ended.Add(q.section.config.HoldValid))
	if q.on == &q.section.waiting && !fresh {
		q.section.waiting.put(q, now)
	}
}

// merge brings what is held up to date with an answer: records keep their place and what is new goes behind them; those
// that the answer has not are dropped once no answer had them for the time obsolete.
func merge[T any](have []held[T], got []T, now time.Time, obsolete time.Duration, same func(a, b T) bool) []held[T] {
	var all []held[T]
	for _, h := range have {
		i := slices.IndexFunc(got, func(x T) bool { return same(x, h.record) })
		switch {
		case i >= 0:
			all = append(all, held[T]{got[i], now})
		case now.Before(h.seen.Add(obsolete)):
			all = append(all, h)
		}
	}
	for _, x := range got {
		if !slices.ContainsFunc(all, func(h held[T]) bool { return same(h.record, x) }) {
			all = append(all, held[T]{x, now})
		}
	}
	return all
}
