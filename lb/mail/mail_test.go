package mail

import (
	"fmt"
	"net"
	"net/mail"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is longer than anything takes that succeeds.
const patience = 10 * time.Second

// talker collects what a sender tells.
type talker struct {
	mu    sync.Mutex
	texts []string
}

func (k *talker) tell(text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.texts = append(k.texts, text)
}

func (k *talker) all() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.texts...)
}

func options(k *talker, mailers ...*Mailer) Options {
	return Options{
		Mailers: mailers, Timeout: patience, From: "lb@example.org", To: "ops@example.org", Hostname: "lb1.example.org",
		Program: "sluice test", Tell: k.tell,
		Now: func() time.Time { return time.Date(2026, 11, 22, 18, 8, 24, 5, time.FixedZone("", 3600)) },
	}
}

func mailerAt(address string) *Mailer { return NewMailer("a", "tcp", address) }

// Each mailer gets the message, envelope and header as HAProxy sends them.
func TestMessage(t *testing.T) {
	one, two := newServer(t, nil), newServer(t, map[string]string{"EHLO": "502 old", "QUIT": ""})
	var k talker
	s := NewSender(options(&k, mailerAt(one.address), mailerAt(two.address)))
	s.Send("Server bk/s1 is DOWN, info: \"a\r\nBcc: x\u00e9\". 0 active servers left.")
	s.Stop(patience)
	text := `Server bk/s1 is DOWN, info: "a#0D#0ABcc: x#C3#A9". 0 active servers left`
	var ids []string
	for i, server := range []*server{one, two} {
		var m received
		select {
		case m = <-server.mail:
		default:
			t.Fatalf("mailer %d got nothing: %+v, %v", i+1, s.Counts(), k.all())
		}
		hello := []string{"EHLO lb1.example.org", "HELO lb1.example.org"}[i]
		if m.hello != hello || m.from != "MAIL FROM:<lb@example.org>" || m.to != "RCPT TO:<ops@example.org>" || m.body != text+"\n" {
			t.Errorf("mailer %d got %+v", i+1, m)
		}
		ids = append(ids, m.header.Get("Message-ID"))
		m.header.Del("Message-ID")
		want := map[string][]string{
			"From": {"lb@example.org"}, "To": {"ops@example.org"}, "Date": {"Sun, 22 Nov 2026 17:08:24 +0000 (UTC)"},
			"Subject": {"[HAProxy Alert] " + text}, "Auto-Submitted": {"auto-generated"}, "X-Mailer": {"sluice test"},
		}
		if !reflect.DeepEqual(map[string][]string(m.header), want) {
			t.Errorf("mailer %d: header %v, want %v", i+1, m.header, want)
		}
		if _, err := mail.ParseDate(want["Date"][0]); err != nil {
			t.Error(err)
		}
	}
	if ids[0] != ids[1] || !strings.HasPrefix(ids[0], "<") || !strings.HasSuffix(ids[0], "@lb1.example.org>") {
		t.Errorf("message ids %q", ids)
	}
	if c := s.Counts(); c != (Counts{Sent: 2}) || len(k.all()) > 0 {
		t.Errorf("%+v, told %q", c, k.all())
	}
}

// A text that no line could hold is cut.
func TestLongText(t *testing.T) {
	text := printable(strings.Repeat("x", 5000))
	if len("Subject: "+subject+text) > 998 || !strings.HasSuffix(text, "x...") {
		t.Errorf("%d bytes, ends in %q", len(text), text[len(text)-5:])
	}
	if text = printable(strings.Repeat("\n", 5000)); len("Subject: "+subject+text) > 998 {
		t.Errorf("%d bytes", len(text))
	}
}

// Alerts arrive in their order.
func TestOrder(t *testing.T) {
	server := newServer(t, nil)
	var k talker
	s := NewSender(options(&k, mailerAt(server.address)))
	for i := range 20 {
		s.Send(fmt.Sprint("event ", i))
	}
	s.Stop(patience)
	for i := range 20 {
		if m := <-server.mail; m.header.Get("Subject") != fmt.Sprint("[HAProxy Alert] event ", i) {
			t.Fatalf("message %d is %s", i, m.header.Get("Subject"))
		}
	}
}

// Every way in which a conversation can fail is told with its step, and does not touch the other mailer.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers map[string]string
		want    string
	}{
		{"closed at once", map[string]string{"greeting": ""}, "at the greeting: EOF"},
		{"no welcome", map[string]string{"greeting": "554 not you"}, `at the greeting: 554 "not you"`},
		{"hello refused", map[string]string{"EHLO": "550 no", "HELO": "550 no"}, `at HELO: 550 "no"`},
		{"sender refused", map[string]string{"MAIL": "550 sender unknown"}, `at MAIL FROM: 550 "sender unknown"`},
		{"receiver refused", map[string]string{"RCPT": "451 greylisted"}, `at RCPT TO: 451 "greylisted"`},
		{"data refused", map[string]string{"DATA": "452 full"}, `at DATA: 452 "full"`},
		{"message refused", map[string]string{"message": "554 spam"}, `after the message: 554 "spam"`},
		{"cut in the message", map[string]string{"message": ""}, "after the message: EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			good, bad := newServer(t, nil), newServer(t, test.answers)
			var k talker
			s := NewSender(options(&k, mailerAt(bad.address), mailerAt(good.address)))
			s.Send("event")
			s.Stop(patience)
			want := "email alert could not be sent to mailer 'a' (" + bad.address + "): " + test.want
			if told := k.all(); len(told) != 1 || told[0] != want {
				t.Errorf("told %q, want %q", told, want)
			}
			if c := s.Counts(); c != (Counts{Sent: 1, Failed: 1}) || len(good.mail) != 1 {
				t.Errorf("%+v, the good one has %d", c, len(good.mail))
			}
		})
	}
}

// "timeout mail" is for the conversation as a whole.
func TestTimeout(t *testing.T) {
	for _, where := range []string{"greeting", "MAIL", "message"} {
		server := newServer(t, map[string]string{where: "silence"})
		var k talker
		o := options(&k, mailerAt(server.address))
		o.Timeout = 50 * time.Millisecond
		s := NewSender(o)
		s.Send("event")
		s.Stop(patience)
		if told := k.all(); len(told) != 1 || !strings.Contains(told[0], "i/o timeout") || s.Counts().Failed != 1 {
			t.Errorf("silent at %s: told %q, %+v", where, told, s.Counts())
		}
	}
}

// A mailer that hangs costs nobody anything: Send returns at once, the queue is bounded, the other mailer gets everything,
// and the end cuts what hangs.
func TestAMailerThatHangs(t *testing.T) {
	hung, good := newServer(t, map[string]string{"greeting": "silence"}), newServer(t, nil)
	var k talker
	s := NewSender(options(&k, mailerAt(hung.address), mailerAt(good.address)))
	const alerts = maxQueued + 50
	for i := range alerts {
		s.Send("event")
		if i < alerts-1 { // let the good one keep up, so that its own queue does not overflow
			<-good.mail
		}
	}
	<-good.mail
	start := time.Now()
	s.Stop(20 * time.Millisecond)
	if took := time.Since(start); took > patience/2 {
		t.Errorf("the end took %v", took)
	}
	c := s.Counts()
	if c.Sent != alerts || c.Failed != 1 || c.Lost != alerts-1 {
		t.Errorf("%+v", c)
	}
	if told := k.all(); len(told) != 2 || !strings.HasPrefix(told[1], fmt.Sprintf("email alerts end: %d sent, 1 failed, %d lost", c.Sent, c.Lost)) {
		t.Errorf("told %q", told)
	}
	s.Send("too late")
	if got := s.Counts(); got.Lost != c.Lost+2 {
		t.Errorf("after the end: %+v", got)
	}
}

// Failures are told at most once a minute, with how many there were.
func TestToldOnceAMinute(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	var k talker
	var mu sync.Mutex
	now := time.Unix(1e9, 0)
	o := options(&k, mailerAt(address))
	o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s := NewSender(o)
	fail := func(n int) {
		s.Send("event")
		for deadline := time.Now().Add(patience); s.Counts().Failed < uint64(n) || s.working(); {
			if time.Now().After(deadline) {
				t.Fatalf("%+v", s.Counts())
			}
			time.Sleep(time.Millisecond)
		}
	}
	fail(1)
	fail(2)
	fail(3)
	if told := k.all(); len(told) != 1 || !strings.HasSuffix(told[0], "connection refused") {
		t.Fatalf("told %q", told)
	}
	mu.Lock()
	now = now.Add(tellEvery)
	mu.Unlock()
	fail(4)
	fail(5)
	if told := k.all(); len(told) != 2 || !strings.HasSuffix(told[1], "(and 2 more such problems since the last message)") {
		t.Fatalf("told %q", told)
	}
	s.Stop(patience)
	if told := k.all(); len(told) != 3 || told[2] != "email alerts end: 0 sent, 5 failed, 0 lost" {
		t.Errorf("told %q", told)
	}
}

// working tells whether any queue is being worked off.
func (s *Sender) working() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.queues {
		if s.queues[i].active {
			return true
		}
	}
	return false
}

// The proxies of a section share its mailers, and do not all talk to one at once.
func TestFewConversationsAtOnce(t *testing.T) {
	server := newServer(t, nil)
	m := mailerAt(server.address)
	var k talker
	var senders []*Sender
	for range 5 * maxConversations {
		s := NewSender(options(&k, m))
		senders = append(senders, s)
		s.Send("event")
		s.Send("event")
	}
	for _, s := range senders {
		s.Stop(patience)
	}
	if len(server.mail) != 10*maxConversations || len(k.all()) > 0 {
		t.Errorf("%d arrived; told %q", len(server.mail), k.all())
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	// The server learns of a connection's end after the sender has given the slot on.
	if server.highest > 2*maxConversations {
		t.Errorf("%d conversations at once", server.highest)
	}
}
