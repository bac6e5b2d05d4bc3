package resolve

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-lb/sluice/lb/config"
)

// maxRunning bounds the questions of a section that are asked at once.
const maxRunning = 4096

// section is a "resolvers" section: the state machine without its goroutine, sockets and clock (see loop.go). Every
// method is called on one goroutine, with the time that it is.
type section struct {
	config    *config.Resolvers
	servers   []*nameServer
	questions map[key]*question
	services  map[key]*service

	waiting agenda // asked when due
	running agenda // due when "timeout retry" has passed
	pace    pace
}

// way is by what a question went: only what comes back by it can be its answer.
type way any

// sender sends to one name server. Neither method blocks.
type sender interface {
	datagram(query []byte, now time.Time) (way, error)
	stream(query []byte, now time.Time) (way, error)
}

// nameServer is one name server as its section sees it.
type nameServer struct {
	counters
	name    string
	tcp     bool // asked over TCP from the start
	section *section
	sender  sender
	id      func() uint16 // random
	pending map[uint16]*pending
}

func newSection(c *config.Resolvers) *section {
	return &section{config: c, questions: make(map[key]*question), services: make(map[key]*service)}
}

func (s *section) add(name string, tcp bool, sender sender, id func() uint16) *nameServer {
	server := &nameServer{name: name, tcp: tcp, section: s, sender: sender, id: id, pending: make(map[uint16]*pending)}
	s.servers = append(s.servers, server)
	return server
}

func (s *section) period() time.Duration { return max(s.config.TimeoutResolve, time.Millisecond) }

// hold is how old the last valid answer may be when asking ends with f.
func (s *section) hold(f Failure) time.Duration {
	switch f {
	case NX:
		return s.config.HoldNX
	case Refused:
		return s.config.HoldRefused
	case Timeout:
		return s.config.HoldTimeout
	}
	return s.config.HoldOther
}

// listen has tell called with the outcomes of a question. One that is new is asked at once, as far as pace allows; the last
// outcome of one that is not comes before listen returns.
func (s *section) listen(k key, tell func(Answer)) *listener {
	q := s.questions[k]
	if q == nil {
		q = &question{key: k, section: s, wire: make(map[uint16][]byte)}
		s.questions[k] = q
		s.waiting.put(q, time.Time{})
	}
	l := &listener{question: q, tell: tell}
	q.listeners = append(q.listeners, l)
	if q.asked {
		tell(q.answer(len(q.listeners) == 1))
	}
	return l
}

// leave ends a listener; a question without listeners is not asked any more.
func (s *section) leave(l *listener) {
	q := l.question
	l.gone = true
	if q.listeners = slices.DeleteFunc(q.listeners, func(x *listener) bool { return x == l }); len(q.listeners) > 0 {
		return
	}
	q.forget()
	q.leave()
	delete(s.questions, q.key)
}

// tick does what is due and tells when to come back.
func (s *section) tick(now time.Time) (next time.Time) {
	for q := s.running.next(now); q != nil; q = s.running.next(now) {
		q.late(now)
	}
	next = now.Add(time.Hour)
	for q := s.waiting.next(now); q != nil; q = s.waiting.next(now) {
		if len(s.running) >= maxRunning {
			break // one that ends wakes the loop
		}
		may, when := s.pace.take(now, len(s.questions), s.period())
		if !may {
			next = when
			break
		}
		q.begin(now)
	}
	if len(s.running) > 0 && s.running[0].due.Before(next) {
		next = s.running[0].due
	}
	if len(s.waiting) > 0 && s.waiting[0].due.After(now) && s.waiting[0].due.Before(next) {
		next = s.waiting[0].due
	}
	return next
}

// send gives p an id and sends it. False: it could not be sent.
func (n *nameServer) send(p *pending, now time.Time) bool {
	packed := p.question.wire[p.kind]
	if packed == nil {
		var err error
		if packed, err = newQuestion(p.question.name, p.kind, n.section.config.AcceptedPayload); err != nil {
			return false // names are checked when they are watched
		}
		p.question.wire[p.kind] = packed
	}
	p.id = n.id()
	for n.pending[p.id] != nil {
		p.id = n.id()
	}
	query := slices.Clone(packed)
	binary.BigEndian.PutUint16(query, p.id)
	transmit := n.sender.datagram
	if p.overTCP {
		transmit = n.sender.stream
	}
	way, err := transmit(query, now)
	if err != nil {
		n.sendErrors.Add(1)
		return false
	}
	n.sent.Add(1)
	p.via = way
	n.pending[p.id] = p
	return true
}

func (n *nameServer) forget(p *pending) {
	if n.pending[p.id] == p {
		delete(n.pending, p.id)
	}
}

// received takes what came by a way. big says that it was larger than accepted, and cut.
func (n *nameServer) received(via way, raw []byte, big bool, now time.Time) {
	if len(raw) < 12 {
		n.invalid.Add(1)
		return
	}
	p := n.pending[binary.BigEndian.Uint16(raw)]
	if p == nil {
		n.outdated.Add(1)
		return
	}
	if p.via != via {
		n.invalid.Add(1) // the id of another port
		return
	}
	q := p.question
	if big {
		n.tooBig.Add(1)
		n.overTCP(p, now)
		return
	}
	verdict, contents := read(raw, q.name, p.kind)
	switch verdict {
	case foreign:
		n.invalid.Add(1)
		return // the right one may still come
	case cut:
		n.truncated.Add(1)
		n.overTCP(p, now)
		return
	}
	n.forget(p)
	if verdict == valid {
		n.valid.Add(1)
		if contents.aliased {
			n.cname.Add(1)
		}
		q.succeed(now, n, contents)
		return
	}
	n.refuse(p, verdict, now)
}

// refuse counts an answer that is a failure.
func (n *nameServer) refuse(p *pending, v verdict, now time.Time) {
	failure := Other
	switch v {
	case noName:
		failure = NX
		n.nx.Add(1)
	case refused:
		failure = Refused
		n.refused.Add(1)
	case noRecord:
		n.anyError.Add(1)
	case aliasError:
		n.cnameError.Add(1)
	case malformed:
		n.invalid.Add(1)
	default:
		n.other.Add(1)
	}
	p.drop()
	p.question.refusedBy(p, failure, now)
}

// drop takes p from its question's pending ones: it has been answered.
func (p *pending) drop() {
	q := p.question
	q.pending = slices.DeleteFunc(q.pending, func(x *pending) bool { return x == p })
}

// overTCP asks again, over TCP, within the same "timeout retry".
func (n *nameServer) overTCP(p *pending, now time.Time) {
	n.forget(p)
	if p.overTCP { // cut even so
		n.refuse(p, otherError, now)
		return
	}
	p.overTCP = true
	if !n.send(p, now) {
		n.refuse(p, otherError, now)
	}
}

// broke is called when a connection ended: what was not answered on it is sent once more, on another.
func (n *nameServer) broke(via way, now time.Time) {
	var lost []*pending
	for _, p := range n.pending {
		if p.via == via {
			lost = append(lost, p)
		}
	}
	for _, p := range lost {
		n.forget(p)
		if !slices.Contains(p.question.pending, p) {
			continue // the failure of another ended the question
		}
		if p.again {
			p.drop()
			n.sendErrors.Add(1)
			p.question.refusedBy(p, Other, now)
			continue
		}
		p.again = true
		if !n.send(p, now) {
			p.drop()
			p.question.refusedBy(p, Other, now)
		}
	}
}

// supported tells whether a name can be asked for.
func supported(name string) bool {
	_, ok := dns.IsDomainName(name)
	return ok && name != ""
}
