package resolve

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/sluice-lb/sluice/lb/config"
)

// world is a section on a clock of its own, whose name servers are the test.
type world struct {
	t       *testing.T
	section *section
	now     time.Time
	sent    []*sentQuery
	told    []string
	nextID  uint16
	errors  map[string]error // of sending, by name server
}

// sentQuery is a question that left.
type sentQuery struct {
	server *nameServer
	via    way
	raw    []byte
	tcp    bool
}

// line is one name server's sender.
type line struct {
	world *world
	name  string
}

func (l *line) transmit(query []byte, via way, tcp bool) (way, error) {
	if err := l.world.errors[l.name]; err != nil {
		return nil, err
	}
	for _, n := range l.world.section.servers {
		if n.name == l.name {
			l.world.sent = append(l.world.sent, &sentQuery{n, via, query, tcp})
		}
	}
	return via, nil
}

func (l *line) datagram(query []byte, _ time.Time) (way, error) {
	return l.transmit(query, l.name+"/udp", false)
}
func (l *line) stream(query []byte, _ time.Time) (way, error) {
	return l.transmit(query, l.name+"/tcp", true)
}

// defaults are those of the manual but for short holds.
func defaults() *config.Resolvers {
	return &config.Resolvers{
		Name: "R", Retries: 3, TimeoutResolve: time.Second, TimeoutRetry: time.Second, HoldValid: 10 * time.Second,
		HoldNX: 30 * time.Second, HoldOther: 30 * time.Second, HoldRefused: 30 * time.Second, HoldTimeout: 30 * time.Second,
		AcceptedPayload: 512,
	}
}

func newWorld(t *testing.T, c *config.Resolvers, servers ...string) *world {
	w := &world{t: t, section: newSection(c), now: time.Unix(1000, 0), errors: make(map[string]error)}
	for _, name := range servers {
		w.section.add(name, strings.HasPrefix(name, "tcp"), &line{w, name}, func() uint16 { w.nextID++; return w.nextID })
	}
	return w
}

// watch listens to a host's question.
func (w *world) watch(name string, kind uint16) *listener {
	return w.section.listen(key{dns.CanonicalName(name), kind}, func(a Answer) { w.tell(a) })
}

func (w *world) tell(a Answer) { w.told = append(w.told, show(a)) }

// show is an answer in one word per part.
func show(a Answer) string {
	var b strings.Builder
	for _, addr := range a.Addrs {
		fmt.Fprintf(&b, "%v ", addr)
	}
	for _, s := range a.Services {
		fmt.Fprintf(&b, "%s:%d/%d", s.Target, s.Port, s.Weight)
		if s.Asked {
			fmt.Fprintf(&b, "[%s]", show(s.Host))
		}
		b.WriteByte(' ')
	}
	switch {
	case a.Stale:
		fmt.Fprintf(&b, "stale: %v", a.Failure)
	case a.Failure != OK:
		fmt.Fprintf(&b, "failed: %v", a.Failure)
	default:
		b.WriteString("ok")
	}
	return b.String()
}

// run lets time pass in the steps that the section asks for.
func (w *world) run(d time.Duration) {
	for end := w.now.Add(d); ; {
		next := w.section.tick(w.now)
		if next.After(end) {
			w.now = end
			return
		}
		if !next.After(w.now) {
			w.t.Fatalf("tick wants to be called at once again")
		}
		w.now = next
	}
}

// questions gives what was sent since the last call, as "ns1 AAAA", with "tcp" where it was.
func (w *world) questions() string {
	var all []string
	for _, s := range w.sent {
		m := new(dns.Msg)
		if err := m.Unpack(s.raw); err != nil {
			w.t.Fatal(err)
		}
		text := s.server.name + " " + dns.TypeToString[m.Question[0].Qtype]
		if s.tcp {
			text += " tcp"
		}
		all = append(all, text)
	}
	w.sent = nil
	return strings.Join(all, ", ")
}

// take removes and gives the oldest question that went to a server.
func (w *world) take(server string) *sentQuery {
	w.t.Helper()
	for i, s := range w.sent {
		if s.server.name == server {
			w.sent = append(w.sent[:i:i], w.sent[i+1:]...)
			return s
		}
	}
	w.t.Fatalf("%s was not asked", server)
	return nil
}

// answer has a server answer its oldest question: an error by its name, or records as in a zone file without owner.
func (w *world) answer(server, what string) {
	w.t.Helper()
	s := w.take(server)
	w.section.tick(w.now)
	s.server.received(s.via, reply(w.t, s.raw, what), false, w.now)
}

// reply makes the answer to a packed question.
func reply(t testing.TB, query []byte, what string) []byte {
	t.Helper()
	q := new(dns.Msg)
	if err := q.Unpack(query); err != nil {
		t.Fatal(err)
	}
	m := new(dns.Msg)
	m.SetReply(q)
	name := q.Question[0].Name
	switch what {
	case "NX":
		m.Rcode = dns.RcodeNameError
	case "REFUSED":
		m.Rcode = dns.RcodeRefused
	case "SERVFAIL":
		m.Rcode = dns.RcodeServerFailure
	case "EMPTY":
	case "TC":
		m.Truncated = true
	case "OTHERNAME":
		m.Question[0].Name = "other.test."
	case "OTHERTYPE":
		m.Question[0].Qtype = dns.TypeTXT
	case "NOANSWER":
		m.Response = false
	case "GARBAGE":
		return append(query[:12:12], 0xff, 0xff, 0xff)
	case "WRONGID":
		raw := reply(t, query, "A 192.0.2.66")
		binary.BigEndian.PutUint16(raw, binary.BigEndian.Uint16(raw)+1000)
		return raw
	default:
		for _, text := range strings.Split(what, "; ") {
			section := &m.Answer
			if rest, ok := strings.CutPrefix(text, "+"); ok {
				section, text = &m.Extra, rest
			}
			if !strings.Contains(text, ".test. ") || !strings.HasSuffix(strings.Fields(text)[0], ".test.") {
				text = name + " " + text
			}
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			*section = append(*section, rr)
		}
	}
	raw, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// heard gives what the watchers were told since the last call.
func (w *world) heard() string {
	text := strings.Join(w.told, " | ")
	w.told = nil
	return text
}
