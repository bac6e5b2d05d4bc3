// Package mail tells people by mail what became of servers: the "mailers" sections and "email-alert" lines of HAProxy's manual
// (3.6 and 4.2).
//
// # The way of an alert
//
//  1. [Sender.Send] takes the text of one event. It never blocks: the text goes into a queue for each mailer of the section,
//     or is counted as lost where that queue is full.
//  2. A goroutine per queue, there only while there is something in it, takes the oldest text, waits for one of the few
//     conversations that a mailer is bothered with at once, and has it: connect, EHLO (or HELO), MAIL, RCPT, DATA, QUIT,
//     all within "timeout mail". Every mailer of the section gets every alert, as in HAProxy; the Message-ID is one and the same.
//  3. What fails is not tried again, as in HAProxy: it is counted, and told at most once a minute per proxy.
//  4. [Sender.Stop] lets what is queued leave for a while, and gives the rest up.
//
// The conversation is plain text: neither STARTTLS nor a password. Package mail knows no servers and decides nothing about
// what is worth an alert.
package mail

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds.
const (
	maxQueued        = 256 // alerts of one proxy that wait for one mailer
	maxConversations = 4   // with one mailer at once, by all proxies of a section
	tellEvery        = time.Minute
)

// Mailer is one SMTP server. The proxies that use a section share its Mailers; nothing in it changes after NewMailer.
type Mailer struct {
	Name    string
	Network string // "tcp", as for net.Dial
	Address string // "192.0.2.1:25": a name would be resolved at each alert, where there may be nothing to resolve it with

	slots chan struct{} // holds one element for each conversation
}

// NewMailer makes a mailer.
func NewMailer(name, network, address string) *Mailer {
	return &Mailer{Name: name, Network: network, Address: address, slots: make(chan struct{}, maxConversations)}
}

// Options describe a Sender. All but Tell and Now are needed.
type Options struct {
	Mailers  []*Mailer
	Timeout  time.Duration // for one conversation, from connect to the end
	From, To string        // in the envelope and in the header
	Hostname string        // this machine's name for the greeting
	Program  string        // name and version, for the header
	// Tell is told what went wrong, at most once a minute. It is called on any goroutine, and not under a lock.
	Tell func(text string)
	Now  func() time.Time // nil: time.Now
}

// Counts is what became of alerts, once for each mailer that they were meant for.
type Counts struct {
	Sent   uint64 // accepted by the mailer
	Failed uint64 // the conversation failed
	Lost   uint64 // no room in the queue, or the end came first
}

// Sender sends the alerts of one proxy. Its methods may be called from any goroutine.
type Sender struct {
	o                  Options
	sent, failed, lost atomic.Uint64
	number             atomic.Uint64 // of messages, for their ids

	cut    context.Context // cancelled when patience is over
	cancel context.CancelFunc
	busy   sync.WaitGroup // queues that are being worked off. Added to under mu while not stopped

	mu      sync.Mutex // held for a few instructions only: Send is called under locks of others
	stopped bool
	queues  []queue

	tellMu     sync.Mutex
	told       time.Time // when Tell was last called
	suppressed int       // what it was not told since
}

// queue is what waits for one mailer; guarded by the Sender's mu.
type queue struct {
	mailer *Mailer
	texts  []message
	active bool // a goroutine works it off
}

// NewSender makes a sender.
func NewSender(o Options) *Sender {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tell == nil {
		o.Tell = func(string) {}
	}
	s := &Sender{o: o, queues: make([]queue, len(o.Mailers))}
	s.cut, s.cancel = context.WithCancel(context.Background())
	for i, m := range o.Mailers {
		s.queues[i].mailer = m
	}
	return s
}

// Send sends an alert to each mailer, later. It never blocks.
func (s *Sender) Send(text string) {
	m := message{text: printable(text), at: s.o.Now(), number: s.number.Add(1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.queues {
		q := &s.queues[i]
		if s.stopped || len(q.texts) >= maxQueued {
			s.lost.Add(1)
			continue
		}
		q.texts = append(q.texts, m)
		if !q.active {
			q.active = true
			s.busy.Add(1)
			go s.work(q)
		}
	}
}

// work sends what is in q until nothing is.
func (s *Sender) work(q *queue) {
	defer s.busy.Done()
	full := false
	for {
		s.mu.Lock()
		if len(q.texts) == 0 {
			q.texts, q.active = nil, false
			s.mu.Unlock()
			return
		}
		wasFull := full
		full = len(q.texts) >= maxQueued
		m := q.texts[0]
		q.texts = q.texts[1:]
		s.mu.Unlock()
		if full && !wasFull {
			s.tell(fmt.Sprintf("%d email alerts wait for mailer '%s': further ones are lost", maxQueued, q.mailer.Name))
		}
		s.one(q.mailer, m)
	}
}

// one sends one message, or counts why not.
func (s *Sender) one(to *Mailer, m message) {
	select {
	case to.slots <- struct{}{}:
		defer func() { <-to.slots }()
	case <-s.cut.Done():
		s.lost.Add(1)
		return
	}
	if s.cut.Err() != nil {
		s.lost.Add(1)
		return
	}
	if err := s.deliver(to, m); err != nil {
		s.failed.Add(1)
		s.tell(fmt.Sprintf("email alert could not be sent to mailer '%s' (%s): %v", to.Name, to.Address, err))
		return
	}
	s.sent.Add(1)
}

// tell says what went wrong, unless it has said something within the last minute; then it says so the next time.
func (s *Sender) tell(text string) {
	s.tellMu.Lock()
	now := s.o.Now()
	if !s.told.IsZero() && now.Sub(s.told) < tellEvery {
		s.suppressed++
		s.tellMu.Unlock()
		return
	}
	if s.suppressed > 0 {
		text += fmt.Sprintf(" (and %d more such problems since the last message)", s.suppressed)
	}
	s.told, s.suppressed = now, 0
	s.tellMu.Unlock()
	s.o.Tell(text)
}

// Counts is what became of the alerts so far.
func (s *Sender) Counts() Counts {
	return Counts{s.sent.Load(), s.failed.Load(), s.lost.Load()}
}

// Stop takes no more alerts, lets those that are queued leave for at most the given time, and cuts what goes on then. When it
// returns, no goroutine of the sender is left.
func (s *Sender) Stop(patience time.Duration) {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	timer := time.AfterFunc(patience, s.cancel)
	s.busy.Wait()
	timer.Stop()
	s.cancel()
	s.tellMu.Lock()
	suppressed, lost := s.suppressed, s.lost.Load()
	s.suppressed = 0
	s.tellMu.Unlock()
	if suppressed > 0 || lost > 0 {
		s.o.Tell(fmt.Sprintf("email alerts end: %d sent, %d failed, %d lost", s.sent.Load(), s.failed.Load(), lost))
	}
}
