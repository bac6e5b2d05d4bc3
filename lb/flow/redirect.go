package flow

import (
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// "option sockmap": the kernel moves a flow's bytes by itself.
//
// A flow begins on its loop. Once both sides have said something and nothing is under way, its two sockets are given to the
// Redirect, and stay there until they are closed. From then on each direction, by itself, is
//
//   - looped: the loop reads and sends as ever, but never splices;
//   - redirected: the kernel moves what arrives, and the loop hears of the side's end only;
//   - draining: what arrives is the loop's again, but what was redirected before has not all been sent yet. The loop
//     neither reads nor passes on the end.
//
// A direction is taken back, to draining and then looped, when its side ends or breaks, and when the other side takes its
// bytes so slowly that too many wait in the kernel. After the latter it may be redirected again, when nothing has waited
// for a while. After the end it stays.

// Redirect is a loop's share of the kernel's socket redirect. See package ebpf, which has it.
type Redirect interface {
	Insert(client, server int) (place uint32, err error)
	Begin(place uint32, read uint64) bool
	Hold(place uint32)
	Arrived(place uint32) (bytes, redirected uint64, holding bool, last time.Duration)
	Broken(place uint32) bool
	Remove(place uint32)
}

// course is what becomes of the bytes that a side receives.
type course uint8

const (
	looped course = iota
	redirected
	draining
)

// redirect is what a flow has whose sockets were inserted.
type redirect struct {
	place uint32 // the client's; the server's is the next one
	in    uint64 // bytes from the client that the loop had read before
	out   uint64 // and from the server
	ways  [2]way // the client's, the server's

	wait  time.Duration // until a draining direction is looked at again
	again time.Duration // not before this time is a direction redirected that is looped
	look  uint64        // when to look at the directions, in ms on the loop's clock; never: not
	next  *redirect     // recycled
}

// way is the direction from one side.
type way struct {
	moved uint64 // redirected bytes that the flow's counts know
	base  uint64 // bytes that the other side had taken when the redirection began, less those redirected until then
	taken uint64 // bytes that it had taken when it was looked at last
}

const (
	// drainSoon and drainLate are the shortest and the longest time between two looks at what is still to be sent.
	drainSoon, drainLate = time.Millisecond, 64 * time.Millisecond
	// redirectPause is how long a direction whose receiver was slow stays with the loop, at least.
	redirectPause = time.Second
	// countEvery is how often the bytes of a redirected flow are counted with "option contstats".
	countEvery = time.Second
)

func (r *redirect) way(s *side) *way {
	if s.isServer {
		return &r.ways[1]
	}
	return &r.ways[0]
}

func (r *redirect) placeOf(s *side) uint32 {
	if s.isServer {
		return r.place | 1
	}
	return r.place
}

// tryRedirect is called when the loop has nothing to do for a flow of a proxy with "option sockmap".
func (f *Flow) tryRedirect() {
	c, s := &f.client, &f.server
	if f.in == 0 || f.out == 0 || c.busy() || s.busy() {
		return
	}
	r := f.redirect
	if r == nil {
		if r = f.insert(); r == nil {
			return
		}
	} else if f.loop.Now() < r.again {
		return
	}
	f.begin(c)
	f.begin(s)
}

// busy tells of a side with which the loop still has something to do, or that has ended.
func (s *side) busy() bool {
	return s.readable || s.closing || s.readClosed || s.writeClosed || s.blocked || s.urgent || s.held != nil || s.pipe != nil ||
		s.fullReads > 0
}

// insert puts the flow's sockets in; nil: one or both are not, and the flow stays with the loop for good.
func (f *Flow) insert() *redirect {
	l := f.loop
	if f.bind.IsUnix || f.target.Addr.IsUnix() {
		f.redirectable = false
		f.countRedirect(stats.RedirectRefused)
		return nil
	}
	place, err := l.Redirect.Insert(f.client.FD(), f.server.FD())
	if err != nil && place == noPlace {
		f.redirectable = false
		f.countRedirect(stats.RedirectFull)
		return nil
	}
	r := l.redirects
	if r == nil {
		r = &redirect{}
	} else {
		l.redirects = r.next
	}
	*r = redirect{place: place, in: f.in, out: f.out, look: never}
	f.redirect = r
	l.redirected[place] = f
	// One of them may be in, and that is for good: no direction is spliced any more.
	f.client.spliceAfter, f.server.spliceAfter = neverSplice, neverSplice
	if err != nil {
		f.countRedirect(stats.RedirectRefused)
		f.redirectable = false
		return nil
	}
	f.beforeRedirect(&f.client)
	f.beforeRedirect(&f.server)
	f.countRedirect(stats.Redirected)
	return r
}

// noPlace is what Insert gives when it has none.
const noPlace = ^uint32(0)

// beforeRedirect switches Nagle's algorithm off, as beforeSend does: the kernel sends small segments, too.
func (f *Flow) beforeRedirect(s *side) {
	if !s.noDelay {
		s.NoDelay()
		s.noDelay = true
	}
}

// begin redirects what from receives, if the loop has read all that has arrived.
func (f *Flow) begin(from *side) {
	r, l, to := f.redirect, f.loop, f.other(from)
	w := r.way(from)
	if from.course != looped || from.readClosed || to.writeClosed {
		return
	}
	taken, errno := to.Taken()
	if errno != 0 {
		return
	}
	read := f.in - r.in
	if from.isServer {
		read = f.out - r.out
	}
	_, moved, _, _ := l.Redirect.Arrived(r.placeOf(from)) // nothing is redirected now, so it stays
	w.moved, w.taken, w.base = moved, taken, taken-moved
	if !l.Redirect.Begin(r.placeOf(from), read) {
		from.readable = true // what has arrived behind the last read; the event for it may have gone by
		l.Again(&from.Socket, poller.Readable)
		return
	}
	from.course = redirected
	l.Quiet(&from.Socket)
	if f.frontend.ContStats {
		r.look = l.Milliseconds() + uint64(countEvery/time.Millisecond)
	}
}

// redirectReady is forwardReady for a flow whose sockets are in.
func (f *Flow) redirectReady(s *side, ev poller.Events) {
	if ev&(poller.PeerClosed|poller.Hangup|poller.Failed) != 0 {
		if o := f.other(s); ev&poller.Failed != 0 && o.course != looped {
			// Nothing can be sent there any more, so there is nothing to drain.
			f.takeBack(o)
			o.course = looped
			f.sendFailed(s)
		}
		f.takeBack(s)
	}
	f.drain()
	if f.stage == forwarding {
		f.forwardReady(s, ev)
	}
}

// takeBack makes what from receives the loop's again.
func (f *Flow) takeBack(from *side) {
	if from.course != redirected {
		return
	}
	f.loop.Redirect.Hold(f.redirect.placeOf(from))
	from.course = draining
	from.readable = true
	f.redirect.wait = drainSoon
	f.loop.Attend(&from.Socket)
}

// drain looks whether what was redirected has been sent, of the directions that are draining, and goes on with those.
func (f *Flow) drain() {
	late := false
	for _, from := range [...]*side{&f.client, &f.server} {
		if from.course != draining {
			continue
		}
		if !f.drained(from) {
			late = true
			continue
		}
		from.course = looped
		f.forward(from, f.other(from))
		if f.stage != forwarding {
			return
		}
	}
	r := f.redirect
	if late {
		r.look = f.loop.Milliseconds() + uint64(r.wait/time.Millisecond)
		r.wait = min(2*r.wait, drainLate)
	} else if !f.frontend.ContStats {
		r.look = never
	}
}

// drained tells whether the other side has taken all that was redirected to it, and counts it.
func (f *Flow) drained(from *side) bool {
	r, to := f.redirect, f.other(from)
	w := r.way(from)
	_, moved, _, last := f.loop.Redirect.Arrived(r.placeOf(from))
	if moved == w.moved && moved+w.base == w.taken {
		return true // known already
	}
	taken, errno := to.Taken()
	if errno == poller.EAGAIN {
		return false
	}
	if taken != w.taken {
		w.taken = taken
		to.progress = max(to.progress, f.tookAt(from, last, w.base+moved == taken))
		if !to.independent {
			to.activity = max(to.activity, to.progress)
		}
	}
	to.blocked = errno == 0 && !to.writeClosed && w.base+moved != taken
	if to.blocked {
		return false
	}
	f.countMoved(from, moved)
	return true
}

// tookAt is when the other side took bytes last. A redirected direction is looked at when the timer fires, and that may be a whole timeout
// later: it would be counted twice. What was taken at all was taken when it arrived, or when bytes that were sent made room for it.
func (f *Flow) tookAt(from *side, arrived time.Duration, all bool) time.Duration {
	now := f.loop.Now()
	if from.course != redirected {
		return now // while it drains looks are close together
	}
	when, errno := f.other(from).LastSent()
	if errno != 0 {
		return now
	}
	if all {
		when = max(when, f.loop.Since(arrived))
	}
	return min(when, now)
}

// countMoved adds what was redirected since the last time to the flow's bytes.
func (f *Flow) countMoved(from *side, moved uint64) {
	w := f.redirect.way(from)
	n := moved - w.moved
	w.moved = moved
	f.frontend.Stats.Add(f.loop.ID, stats.RedirectedBytes, n)
	f.backend.Stats.Add(f.loop.ID, stats.RedirectedBytes, n)
	if from.isServer {
		f.out += n
	} else {
		f.in += n
	}
}

// countRedirected brings the flow's bytes and times of activity up to date.
func (f *Flow) countRedirected() {
	for _, from := range [...]*side{&f.client, &f.server} {
		if from.course == looped {
			continue
		}
		_, moved, holding, last := f.loop.Redirect.Arrived(f.redirect.placeOf(from))
		if from.course == redirected && moved != f.redirect.way(from).moved {
			to, when := f.other(from), f.loop.Since(last)
			from.activity = max(from.activity, when)
			if !to.independent {
				to.activity = max(to.activity, when)
			}
			if !holding { // otherwise some of it may be counted when it is read
				f.countMoved(from, moved)
			}
		}
	}
}

// lookAtRedirect is the timer's look at a flow whose sockets are in: what has happened since the last one, who does not take
// his bytes, and what is drained by now. The flow may have ended afterwards.
func (f *Flow) lookAtRedirect() {
	r := f.redirect
	f.countRedirected()
	for _, from := range [...]*side{&f.client, &f.server} {
		if from.course == redirected {
			f.drained(from)
		}
	}
	if r.look > f.loop.Milliseconds() {
		return
	}
	if f.frontend.ContStats {
		r.look = f.loop.Milliseconds() + uint64(countEvery/time.Millisecond)
	}
	f.drain()
	for _, from := range [...]*side{&f.client, &f.server} {
		if f.stage == forwarding && from.closing && !from.readClosed && from.course == looped {
			f.forward(from, f.other(from))
		}
	}
	f.settle()
}

// behind tells of a side that seems to have ended whether bytes of it are still to be read: what is held waits behind the bytes
// that wait for that same socket to send them, where there are such.
func (f *Flow) behind(from *side) bool {
	r := f.redirect
	read := f.in - r.in
	if from.isServer {
		read = f.out - r.out
	}
	if arrived, _, _, _ := f.loop.Redirect.Arrived(r.placeOf(from)); arrived <= read {
		return false
	}
	from.readable = true
	r.look = f.loop.Milliseconds() + uint64(drainLate/time.Millisecond)
	return true
}

// forgetRedirect gives the places back, after that.
func (f *Flow) forgetRedirect() {
	l, r := f.loop, f.redirect
	delete(l.redirected, r.place)
	l.Redirect.Remove(r.place)
	r.next, l.redirects, f.redirect = l.redirects, r, nil
}

func (f *Flow) countRedirect(id stats.ID) {
	f.frontend.Stats.Add(f.loop.ID, id, 1)
	f.countConnect(id)
}

// Overfull tells the loop that the kernel holds what arrives at a place, because too much waits to be sent or because
// bytes were lost. Any goroutine may call it.
func (l *Loop) Overfull(place uint32) {
	o := &overfull{loop: l, place: place}
	o.mail.To = o
	l.Post(&o.mail)
}

type overfull struct {
	mail  poller.Mail
	loop  *Loop
	place uint32
}

// Deliver takes the direction back, if it is still held: the place may be another flow's by now.
func (o *overfull) Deliver(*poller.Mail) {
	f := o.loop.redirected[o.place&^1]
	if f == nil || f.stage != forwarding {
		return
	}
	from := &f.client
	if o.place&1 != 0 {
		from = &f.server
	}
	if o.loop.Redirect.Broken(o.place) {
		f.countRedirect(stats.RedirectBroken)
		f.end('I', 'D')
		return
	}
	if _, _, holding, _ := o.loop.Redirect.Arrived(o.place); from.course != redirected || !holding {
		return
	}
	f.countRedirect(stats.RedirectSlow)
	f.redirect.again = o.loop.Now() + redirectPause
	f.takeBack(from)
	f.drain()
	f.settle()
}
