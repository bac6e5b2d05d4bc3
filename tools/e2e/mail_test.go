package e2e

import (
	"bufio"
	"fmt"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// letter is a message as an SMTP server got it.
type letter struct {
	hello, from, to string // the lines of the envelope
	header          textproto.MIMEHeader
	body            string
}

// post is an SMTP server that takes everything.
type post struct {
	addr string

	mu      sync.Mutex
	letters []letter
}

func newPost(t *testing.T) *post {
	t.Helper()
	p := &post{}
	p.addr = harness.Serve(t, p.serve).Addr
	return p
}

func (p *post) serve(s harness.Stream) {
	r := textproto.NewReader(bufio.NewReader(s))
	say := func(text string) { fmt.Fprintf(s, "%s\r\n", text) }
	say("220 post.example.org")
	var l letter
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		switch command, _, _ := strings.Cut(line, " "); command {
		case "HELO", "EHLO":
			l = letter{hello: line}
			say("250 welcome")
		case "MAIL":
			l.from = line
			say("250 fine")
		case "RCPT":
			l.to = line
			say("250 fine")
		case "DATA":
			say("354 go ahead")
			if l.header, err = r.ReadMIMEHeader(); err != nil {
				return
			}
			body, err := r.ReadDotLines()
			if err != nil {
				return
			}
			l.body = strings.TrimSpace(strings.Join(body, "\n"))
			p.mu.Lock()
			p.letters = append(p.letters, l)
			p.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("500 what?")
		}
	}
}

// subjects are those of what has come so far.
func (p *post) subjects() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.letters {
		all = append(all, l.header.Get("Subject"))
	}
	return all
}

// wait waits for a message whose subject begins as given.
func (p *post) wait(t *testing.T, subject string) letter {
	t.Helper()
	begins := func(l letter) bool { return strings.HasPrefix(l.header.Get("Subject"), subject) }
	found := harness.WaitUntil(harness.Patience, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.letters, begins)
	})
	if !found {
		t.Fatalf("no message with the subject %q; there are %q", subject, p.subjects())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.letters[slices.IndexFunc(p.letters, begins)]
}

// A server that goes down and comes up is two messages to each mailer, where the level is notice, and one where it is alert.
func TestEmailAlerts(t *testing.T) {
	one, two := newPost(t), newPost(t)
	address := harness.Loopback(t)
	origin := harness.ServeOn(t, "tcp", address, harness.Name("s"))
	alerts := func(level string) string {
		return "email-alert mailers post\n email-alert from lb@example.org\n email-alert to ops@example.org\n email-alert myhostname lb1.example.org\n" + level
	}
	config := "mailers post\n  timeout mail 5s\n  mailer one " + one.addr + "\n  mailer two " + two.addr + "\n" +
		"defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n" +
		section("listen noticed", alerts("email-alert level notice"), "bind "+harness.Loopback(t), "server s "+address+" check inter 100ms rise 2 fall 2") +
		section("backend alerted", alerts(""), "server s "+address+" check inter 100ms rise 2 fall 2") +
		section("backend quiet", "server s "+address+" check inter 100ms rise 2 fall 2")
	b := harness.Start(t, config)
	// haproxy loses what happens within its first second.
	time.Sleep(1500 * time.Millisecond)
	origin.Close()
	for _, p := range []*post{one, two} {
		l := p.wait(t, "[HAProxy Alert] Server noticed/s is DOWN, reason: Layer4 connection problem, info: \"Connection refused\"")
		subject := l.header.Get("Subject")
		if l.hello[5:] != "lb1.example.org" || l.from != "MAIL FROM:<lb@example.org>" || l.to != "RCPT TO:<ops@example.org>" ||
			l.header.Get("From") != "lb@example.org" || l.header.Get("To") != "ops@example.org" || subject != "[HAProxy Alert] "+l.body {
			t.Errorf("%+v", l)
		}
		if !strings.HasSuffix(subject, ". 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue") {
			t.Errorf("subject %q", subject)
		}
		p.wait(t, "[HAProxy Alert] Server alerted/s is DOWN")
	}
	harness.ServeOn(t, "tcp", address, harness.Name("s"))
	for _, p := range []*post{one, two} {
		p.wait(t, "[HAProxy Alert] Server noticed/s is UP, reason: Layer4 check passed")
	}
	if all := one.subjects(); len(all) != 3 {
		t.Errorf("%d messages: %q", len(all), all)
	}
	if n := b.Stderr.Count("email alert"); n > 0 {
		t.Errorf("it complained:\n%s", b.Stderr.Text())
	}
}

// Mailers that hang, refuse, or are not there: connections are served, one line tells it, the end is quick, and another mailer
// gets what it should.
func TestEmailAlertsThatFail(t *testing.T) {
	harness.SluiceOnly(t, harness.MailFailures)
	hung := harness.Serve(t, harness.Hold)
	good := newPost(t)
	var servers []string
	for i := range 20 {
		servers = append(servers, fmt.Sprintf("server s%d %s check inter 100ms fall 1", i, harness.Refused(t)))
	}
	origin := harness.Serve(t, harness.Name("here"))
	bind := harness.Loopback(t)
	b := harness.Start(t, "mailers post\n  timeout mail 30s\n  mailer hung "+hung.Addr+"\n  mailer away "+harness.Refused(t)+"\n  mailer good "+good.addr+"\n"+
		"defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 10s\n  timeout server 10s\n"+
		section("listen l", append(servers, "email-alert mailers post", "email-alert from a@example.org", "email-alert to b@example.org",
			"bind "+bind, "server here "+origin.Addr)...), harness.Options{Leaky: "conversations with a mailer that hangs"})
	harness.Eventually(t, "the good mailer has all", func() bool { return len(good.subjects()) >= 20 })
	if name, err := harness.Ask(bind); name != "here" || err != nil {
		t.Errorf("%q, %v", name, err)
	}
	b.Stderr.WaitText(t, "Proxy l: email alert could not be sent to mailer 'away'")
	if n := b.Stderr.Count("email alert could not be sent"); n != 1 {
		t.Errorf("told %d times:\n%s", n, b.Stderr.Text())
	}
	start := time.Now()
	b.Signal(syscall.SIGTERM)
	b.WaitExit()
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
}
