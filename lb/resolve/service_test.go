package resolve

import (
	"testing"
	"time"

	"github.com/miekg/dns"
)

// watchService is watch for a service.
func (w *world) watchService() *Watch {
	watch := &Watch{tell: func(a Answer) { w.tell(a) }}
	watch.service = w.section.watchService(watch, "_a._tcp.test.", dns.TypeA)
	w.run(0)
	return watch
}

// Targets that did not come with their addresses are asked for; each target's outcome is its own.
func TestServiceTargets(t *testing.T) {
	c := defaults()
	c.Retries = 1
	w := newWorld(t, c, "ns1")
	watch := w.watchService()
	w.answer("ns1", "SRV 0 100 8001 one.test.; SRV 0 200 8002 two.test.")
	w.step("told one.test:8001/100 two.test:8002/200 ok")
	w.run(0)
	one, two := w.take("ns1"), w.take("ns1")
	if name(t, one.raw) != "one.test." {
		one, two = two, one
	}
	one.server.received(one.via, reply(t, one.raw, "A 192.0.2.1"), false, w.now)
	w.step("told one.test:8001/100[192.0.2.1 ok] two.test:8002/200 ok")
	two.server.received(two.via, reply(t, two.raw, "NX"), false, w.now)
	w.answer("ns1", "NX") // the other family
	w.step("told one.test:8001/100[192.0.2.1 ok] two.test:8002/200[failed: DNS NX status] ok")

	w.run(time.Second)
	for len(w.sent) > 0 { // the service shrinks; the targets answer as before
		s := w.sent[0]
		switch name(t, s.raw) {
		case "_a._tcp.test.":
			w.answer("ns1", "SRV 0 300 8001 one.test.")
		case "one.test.":
			w.answer("ns1", "A 192.0.2.1")
		default:
			w.sent = w.sent[1:]
		}
	}
	w.step("told one.test:8001/300[192.0.2.1 ok] ok")
	if n := len(w.section.questions); n != 2 {
		t.Errorf("%d questions are left, want the service's and one target's", n)
	}
	watch.service.leave(watch)
	if len(w.section.questions)+len(w.section.services)+len(w.section.running)+len(w.section.waiting) != 0 {
		t.Error("something is left")
	}
}

func name(t *testing.T, raw []byte) string {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		t.Fatal(err)
	}
	return m.Question[0].Name
}

// What comes along needs no question of its own; if it does not come along any more, the address stays until it is asked.
func TestServiceAdditional(t *testing.T) {
	w := newWorld(t, defaults(), "ns1")
	w.watchService()
	w.answer("ns1", "SRV 0 1 8001 one.test.; +one.test. A 192.0.2.1; +one.test. A 192.0.2.2; +else.test. A 192.0.2.66")
	w.step("told one.test:8001/1[192.0.2.1 192.0.2.2 ok] ok")
	w.run(0)
	w.step("asked nothing")
	w.run(time.Second)
	w.answer("ns1", "SRV 0 1 8001 one.test.; +one.test. A 192.0.2.2; +one.test. A 192.0.2.1")
	w.step("told nothing")
	w.run(time.Second)
	w.answer("ns1", "SRV 0 1 8001 one.test.")
	w.step("told nothing")
	w.run(0)
	w.answer("ns1", "A 192.0.2.3")
	w.step("told one.test:8001/1[192.0.2.3 ok] ok")
}

// A service that fails keeps its targets for the hold, then has none.
func TestServiceHold(t *testing.T) {
	c := defaults()
	c.Retries, c.HoldNX = 1, 1500*time.Millisecond
	w := newWorld(t, c, "ns1")
	w.watchService()
	w.answer("ns1", "SRV 0 1 8001 one.test.; +one.test. A 192.0.2.1")
	w.run(time.Second)
	w.answer("ns1", "NX")
	w.step("told one.test:8001/1[192.0.2.1 ok] ok | one.test:8001/1[192.0.2.1 ok] stale: DNS NX status")
	w.run(time.Second)
	w.answer("ns1", "NX")
	w.step("told failed: DNS NX status")
}

// Two who watch the same service share its questions; a host that is a target and a server of its own as well.
func TestServiceShared(t *testing.T) {
	w := newWorld(t, defaults(), "ns1")
	host := w.watch("one.test", dns.TypeA)
	w.watchService()
	w.answer("ns1", "A 192.0.2.1")
	w.step("told 192.0.2.1 ok")
	w.answer("ns1", "SRV 0 1 8001 one.test.")
	w.step("told one.test:8001/1[192.0.2.1 ok] ok")
	w.watchService()
	w.step("told one.test:8001/1[192.0.2.1 ok] ok")
	w.run(0)
	w.step("asked nothing")
	if n := len(host.question.listeners); n != 2 {
		t.Errorf("%d listen to the target, want two", n)
	}
}
