package resolve

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-lb/sluice/lb/config"
)

// A step is one word and its arguments:
//
//	asked LIST    what was sent since, "ns1 AAAA, ns2 AAAA"; "nothing"
//	NS: REPLY     a name server answers its oldest question
//	wait TIME
//	told LIST     what the watcher was told since; "nothing"
var schedules = []struct {
	name    string
	servers string
	kind    uint16
	change  func(*config.Resolvers)
	steps   string
}{
	{"all are asked at once and the first valid answer counts", "ns1 ns2", dns.TypeA, nil, `
		asked ns1 A, ns2 A
		wait 1ms`},
	{"the second answer is ignored", "ns1 ns2", dns.TypeA, nil, `
		wait 0s
		ns1: A 192.0.2.1
		told 192.0.2.1 ok
		ns2: A 192.0.2.2
		told nothing
		wait 999ms
		asked nothing
		wait 1ms
		asked ns1 A, ns2 A`},
	{"a failure waits for the others", "ns1 ns2", dns.TypeA, nil, `
		ns1: NX
		told nothing
		ns2: A 192.0.2.2
		told 192.0.2.2 ok
		asked nothing`},
	{"the other family once all have failed", "ns1 ns2", dns.TypeAAAA, nil, `
		ns1: EMPTY
		ns2: NX
		asked ns1 A, ns2 A`},
	{"IPv4 where there is no IPv6", "ns1", dns.TypeAAAA, nil, `
		ns1: EMPTY
		ns1: A 192.0.2.1
		told 192.0.2.1 ok
		asked nothing`},
	{"no fallback for a service", "ns1", dns.TypeSRV, nil, `
		ns1: NX
		asked nothing
		wait 999ms
		asked nothing
		wait 1ms
		asked ns1 SRV`},
	{"both families fail: the next try waits for timeout retry", "ns1", dns.TypeA, nil, `
		ns1: NX
		ns1: NX
		asked nothing
		wait 999ms
		asked nothing
		wait 1ms
		asked ns1 A`},
	{"three tries, each with its fallback", "ns1", dns.TypeA, nil, `
		ns1: NX
		ns1: NX
		wait 1s
		ns1: NX
		ns1: NX
		wait 1s
		ns1: NX
		told nothing
		ns1: NX
		told failed: DNS NX status
		asked nothing
		wait 999ms
		asked nothing
		wait 1ms
		asked ns1 A`},
	{"timeouts are tried again with the same family", "ns1 ns2", dns.TypeA, nil, `
		asked ns1 A, ns2 A
		wait 1s
		asked ns1 A, ns2 A
		wait 1s
		asked ns1 A, ns2 A
		wait 999ms
		told nothing
		wait 1ms
		told failed: DNS timeout status
		asked nothing`},
	{"one fails and one is silent: the other family after timeout retry", "ns1 ns2", dns.TypeA, nil, `
		ns1: REFUSED
		wait 1s
		told nothing`},
	{"a slow answer to the first try counts during the second", "ns1", dns.TypeA, nil, `
		wait 1500ms
		ns1: A 192.0.2.1
		told 192.0.2.1 ok`},
	{"a late failure of an earlier round does not end the present one", "ns1 ns2", dns.TypeA, nil, `
		wait 1s
		ns1: NX
		ns2: NX
		told nothing
		ns1: A 192.0.2.1
		told 192.0.2.1 ok`},
	{"the failure that comes last is the outcome", "ns1 ns2", dns.TypeSRV, func(c *config.Resolvers) { c.Retries = 1 }, `
		ns1: NX
		ns2: REFUSED
		told failed: DNS refused status`},
	{"a service that is not offered", "ns1", dns.TypeSRV, func(c *config.Resolvers) { c.Retries = 1 }, `
		ns1: SRV 0 0 0 .
		told failed: unspecified DNS error`},
	{"SERVFAIL", "ns1", dns.TypeSRV, func(c *config.Resolvers) { c.Retries = 1 }, `
		ns1: SERVFAIL
		told failed: unspecified DNS error`},
	{"held while the last valid answer is young, stale meanwhile", "ns1", dns.TypeA,
		func(c *config.Resolvers) { c.Retries = 1; c.HoldNX = 2500 * time.Millisecond }, `
		ns1: A 192.0.2.1
		told 192.0.2.1 ok
		wait 1s
		ns1: NX
		ns1: NX
		told 192.0.2.1 stale: DNS NX status
		wait 1s
		ns1: NX
		ns1: NX
		told nothing
		wait 1s
		ns1: NX
		ns1: NX
		told failed: DNS NX status
		wait 1s
		ns1: A 192.0.2.1
		told 192.0.2.1 ok`},
	{"each failure has its own hold", "ns1", dns.TypeA,
		func(c *config.Resolvers) { c.Retries = 1; c.HoldRefused = 0; c.HoldNX = 10 * time.Second }, `
		ns1: A 192.0.2.1
		wait 1s
		ns1: NX
		ns1: NX
		told 192.0.2.1 ok | 192.0.2.1 stale: DNS NX status
		wait 1s
		ns1: REFUSED
		ns1: REFUSED
		told failed: DNS refused status
		wait 1s
		ns1: NX
		ns1: NX
		told failed: DNS NX status`},
	{"a stale answer that is confirmed is told", "ns1", dns.TypeA, func(c *config.Resolvers) { c.Retries = 1 }, `
		ns1: A 192.0.2.1
		wait 1s
		wait 1s
		told 192.0.2.1 ok | 192.0.2.1 stale: DNS timeout status
		wait 1s
		ns1: A 192.0.2.1
		told nothing`},
	{"turned around is not changed; new ones go behind; what is missing goes", "ns1", dns.TypeA, nil, `
		ns1: A 192.0.2.1; A 192.0.2.2; A 192.0.2.3
		told 192.0.2.1 192.0.2.2 192.0.2.3 ok
		wait 1s
		ns1: A 192.0.2.3; A 192.0.2.1; A 192.0.2.2
		told nothing
		wait 1s
		ns1: A 192.0.2.4; A 192.0.2.3; A 192.0.2.1
		told 192.0.2.1 192.0.2.3 192.0.2.4 ok`},
	{"hold obsolete keeps what is missing", "ns1", dns.TypeA, func(c *config.Resolvers) { c.HoldObsolete = 1500 * time.Millisecond }, `
		ns1: A 192.0.2.1; A 192.0.2.2
		wait 1s
		ns1: A 192.0.2.1
		told 192.0.2.1 192.0.2.2 ok
		wait 1s
		ns1: A 192.0.2.1
		told 192.0.2.1 ok`},
	{"an alias is followed", "ns1", dns.TypeA, nil, `
		ns1: CNAME b.test.; b.test. CNAME c.test.; c.test. A 192.0.2.9
		told 192.0.2.9 ok`},
	{"aliases in a circle", "ns1", dns.TypeA, func(c *config.Resolvers) { c.Retries = 1 }, `
		ns1: CNAME b.test.; b.test. CNAME a.test.
		asked ns1 AAAA`},
	{"an alias to itself", "ns1", dns.TypeA, func(c *config.Resolvers) { c.Retries = 1 }, `
		ns1: CNAME a.test.
		asked ns1 AAAA`},
	{"records of another owner do not count", "ns1", dns.TypeA, nil, `
		ns1: other.test. A 192.0.2.66
		asked ns1 AAAA`},
	{"cut short: over TCP", "ns1 ns2", dns.TypeA, nil, `
		ns1: TC
		asked ns2 A, ns1 A tcp`},
	{"cut short: the answer over TCP", "ns1", dns.TypeA, nil, `
		ns1: TC
		ns1: A 192.0.2.1
		told 192.0.2.1 ok`},
	{"cut short even over TCP", "ns1", dns.TypeA, nil, `
		ns1: TC
		ns1: TC
		asked ns1 AAAA`},
	{"a name server that is asked over TCP", "tcp1", dns.TypeA, nil, `
		asked tcp1 A tcp`},
	{"another name, type, or no answer at all: dropped, and the right one still counts", "ns1", dns.TypeA, nil, `
		ns1: OTHERNAME
		wait 1s
		ns1: OTHERTYPE
		wait 1s
		told nothing
		ns1: NOANSWER
		told nothing
		asked nothing`},
	{"what cannot be read is a failure", "ns1", dns.TypeA, nil, `
		ns1: GARBAGE
		asked ns1 AAAA`},
}

func TestSchedules(t *testing.T) {
	for _, test := range schedules {
		t.Run(test.name, func(t *testing.T) {
			c := defaults()
			if test.change != nil {
				test.change(c)
			}
			w := newWorld(t, c, strings.Fields(test.servers)...)
			w.watch("a.test", test.kind)
			w.run(0)
			for _, step := range strings.Split(strings.TrimSpace(test.steps), "\n") {
				w.step(strings.TrimSpace(step))
			}
			if len(w.section.running)+len(w.section.waiting) != 1 {
				t.Errorf("%d questions run and %d wait, want one in all", len(w.section.running), len(w.section.waiting))
			}
		})
	}
}

func (w *world) step(step string) {
	w.t.Helper()
	word, rest, _ := strings.Cut(step, " ")
	expect := func(got string) {
		if got == "" {
			got = "nothing"
		}
		if got != rest {
			w.t.Errorf("%s: got %s", step, got)
		}
	}
	switch word {
	case "asked":
		expect(w.questions())
	case "told":
		expect(w.heard())
	case "wait":
		d, err := time.ParseDuration(rest)
		if err != nil {
			w.t.Fatal(err)
		}
		w.run(d)
	default:
		w.answer(strings.TrimSuffix(word, ":"), rest)
	}
}

// Every way in which a datagram can be wrong is counted where an operator looks for it, and changes nothing.
func TestCounters(t *testing.T) {
	for _, test := range []struct {
		reply string
		want  Counters
	}{
		{"A 192.0.2.1", Counters{Sent: 1, Valid: 1, Updates: 1}},
		{"CNAME b.test.; b.test. A 192.0.2.1", Counters{Sent: 1, Valid: 1, Updates: 1, CNAME: 1}},
		{"CNAME b.test.", Counters{Sent: 2, CNAMEError: 1}},
		{"CNAME a.test.", Counters{Sent: 2, CNAMEError: 1}},
		{"EMPTY", Counters{Sent: 2, AnyError: 1}},
		{"NX", Counters{Sent: 2, NX: 1}},
		{"REFUSED", Counters{Sent: 2, Refused: 1}},
		{"SERVFAIL", Counters{Sent: 2, Other: 1}},
		{"other.test. A 192.0.2.1", Counters{Sent: 2, Other: 1}},
		{"TC", Counters{Sent: 2, Truncated: 1}},
		{"OTHERNAME", Counters{Sent: 1, Invalid: 1}},
		{"OTHERTYPE", Counters{Sent: 1, Invalid: 1}},
		{"NOANSWER", Counters{Sent: 1, Invalid: 1}},
		{"GARBAGE", Counters{Sent: 2, Invalid: 1}},
		{"WRONGID", Counters{Sent: 1, Outdated: 1}},
	} {
		w := newWorld(t, defaults(), "ns1")
		w.watch("a.test", dns.TypeA)
		w.run(0)
		w.answer("ns1", test.reply)
		if got := w.section.servers[0].snapshot(); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.reply, got, test.want)
		}
	}
}

// The id of a question that left by another port is not accepted, nor one by TCP that was asked by UDP.
func TestAnotherPort(t *testing.T) {
	w := newWorld(t, defaults(), "ns1")
	w.watch("a.test", dns.TypeA)
	w.run(0)
	s := w.take("ns1")
	s.server.received("another", reply(t, s.raw, "A 192.0.2.66"), false, w.now)
	if got := w.heard(); got != "" {
		t.Errorf("told %s", got)
	}
	if n := s.server.invalid.Load(); n != 1 {
		t.Errorf("invalid: %d", n)
	}
	s.server.received(s.via, reply(t, s.raw, "A 192.0.2.1"), false, w.now)
	if got := w.heard(); got != "192.0.2.1 ok" {
		t.Errorf("told %s", got)
	}
	s.server.received(s.via, reply(t, s.raw, "A 192.0.2.2"), false, w.now)
	if n := s.server.outdated.Load(); n != 1 {
		t.Errorf("outdated: %d", n)
	}
}

func TestTooBig(t *testing.T) {
	w := newWorld(t, defaults(), "ns1")
	w.watch("a.test", dns.TypeA)
	w.run(0)
	s := w.take("ns1")
	s.server.received(s.via, reply(t, s.raw, "A 192.0.2.66"), true, w.now)
	if got := w.questions(); got != "ns1 A tcp" {
		t.Errorf("asked %s", got)
	}
	if n := s.server.tooBig.Load(); n != 1 {
		t.Errorf("too big: %d", n)
	}
}

// What cannot be sent is like a name server that is silent.
func TestSendErrors(t *testing.T) {
	w := newWorld(t, defaults(), "ns1", "ns2")
	w.errors["ns1"] = errors.New("no route")
	w.watch("a.test", dns.TypeA)
	w.run(0)
	w.step("asked ns2 A")
	w.run(time.Second)
	w.answer("ns2", "NX")
	w.step("asked ns2 AAAA")
	w.errors["ns2"] = errors.New("no route")
	w.run(5 * time.Second)
	w.step("told failed: DNS timeout status")
	if n := w.section.servers[0].sendErrors.Load(); n < 3 {
		t.Errorf("send errors: %d", n)
	}
}

// A connection that ends takes no question with it the first time; the second time it is the name server's failure.
func TestBrokenConnection(t *testing.T) {
	w := newWorld(t, defaults(), "tcp1")
	w.watch("a.test", dns.TypeA)
	w.run(0)
	server := w.section.servers[0]
	w.step("asked tcp1 A tcp")
	server.broke("another", w.now)
	w.step("asked nothing")
	server.broke("tcp1/tcp", w.now)
	w.step("asked tcp1 A tcp")
	server.broke("tcp1/tcp", w.now)
	w.step("asked tcp1 AAAA tcp") // the fallback
	if n := len(server.pending); n != 1 {
		t.Errorf("%d pending", n)
	}
}

// All who ask the same share the question; the first is told so; when the last leaves nothing is asked any more.
func TestShared(t *testing.T) {
	w := newWorld(t, defaults(), "ns1")
	var firsts []bool
	var listeners []*listener
	for range 3 {
		listeners = append(listeners, w.section.listen(key{"a.test.", dns.TypeA}, func(a Answer) { firsts = append(firsts, a.First) }))
	}
	w.run(0)
	w.step("asked ns1 A")
	w.run(time.Second)
	w.answer("ns1", "A 192.0.2.1")
	if len(firsts) != 3 || !firsts[0] || firsts[1] || firsts[2] {
		t.Errorf("firsts %v", firsts)
	}
	late := w.watch("A.test", dns.TypeA) // told at once what is known
	w.step("told 192.0.2.1 ok")
	for _, l := range append(listeners, late) {
		w.section.leave(l)
	}
	w.sent = nil
	w.run(10 * time.Second)
	w.step("asked nothing")
	if len(w.section.questions)+len(w.section.servers[0].pending) != 0 {
		t.Error("something is left")
	}
}

// Again asks at once, but not while the answer is younger than "hold valid".
func TestAgain(t *testing.T) {
	c := defaults()
	c.TimeoutResolve, c.HoldValid = time.Minute, 10*time.Second
	w := newWorld(t, c, "ns1")
	q := w.watch("a.test", dns.TypeA).question
	w.run(0)
	w.answer("ns1", "A 192.0.2.1")
	w.run(9 * time.Second)
	q.again(w.now)
	w.run(0)
	w.step("asked nothing")
	w.run(time.Second)
	q.again(w.now)
	w.run(0)
	w.step("asked ns1 A")
	q.again(w.now) // it is being asked
	w.run(0)
	w.step("asked nothing")
}

// 4,000 names: a few at once, the rest spread over the period, each once per period, no more than so many at a time.
func TestSpread(t *testing.T) {
	c := defaults()
	c.TimeoutResolve = 10 * time.Second
	w := newWorld(t, c, "ns1")
	const names = 4000
	for i := range names {
		w.section.listen(key{dns.CanonicalName(strings.Repeat("a", i%50+1) + "." + strings.Repeat("b", i/50+1)[:min(i/50+1, 60)] + "." + strings.Repeat("c", i/3000+1) + ".test"), dns.TypeA}, func(Answer) {})
	}
	count := len(w.section.questions)
	most := 0
	total := 0
	for range 200 { // 20 seconds in steps of 100 ms; every question is answered at once
		w.run(100 * time.Millisecond)
		most, total = max(most, len(w.sent)), total+len(w.sent)
		for len(w.sent) > 0 {
			s := w.sent[0]
			w.sent = w.sent[1:]
			s.server.received(s.via, reply(t, s.raw, "A 192.0.2.1"), false, w.now)
		}
	}
	if most > count/100*2+burst {
		t.Errorf("%d of %d questions in 100 ms", most, count)
	}
	if total < 2*count-count/5 || total > 2*count+burst {
		t.Errorf("%d questions in two periods, want about %d", total, 2*count)
	}
}

// When nobody answers, no more than maxRunning questions are asked at once.
func TestBounded(t *testing.T) {
	c := defaults()
	c.TimeoutResolve, c.TimeoutRetry = 10*time.Millisecond, time.Hour
	w := newWorld(t, c, "ns1")
	for i := range maxRunning + 500 {
		name := []byte("aaaa.test.")
		for j := range 4 {
			name[j] += byte(i >> (4 * j) & 15)
		}
		w.section.listen(key{string(name), dns.TypeA}, func(Answer) {})
	}
	w.run(time.Second)
	if len(w.section.running) != maxRunning || len(w.section.waiting) != 500 {
		t.Errorf("%d run, %d wait", len(w.section.running), len(w.section.waiting))
	}
}

// What a watcher had before the first answer is held for as long as an answer would be, by the failure; once there was an
// answer, that counts.
func TestAssumed(t *testing.T) {
	c := defaults()
	c.TimeoutResolve, c.TimeoutRetry, c.Retries, c.HoldTimeout = time.Second, time.Second, 1, 10*time.Second
	w := newWorld(t, c, "ns1")
	w.watch("a.test", dns.TypeA).question.assumed = w.now
	w.run(1500 * time.Millisecond)
	w.step("told stale: DNS timeout status")
	w.run(8 * time.Second)
	w.step("told nothing")
	w.run(2 * time.Second)
	w.step("told failed: DNS timeout status")

	w = newWorld(t, c, "ns1")
	q := w.watch("a.test", dns.TypeA).question
	q.assumed = w.now
	w.run(0)
	w.answer("ns1", "A 192.0.2.1")
	w.step("told 192.0.2.1 ok")
	if !q.assumed.IsZero() {
		t.Error("what was there before counts beside an answer")
	}
}
