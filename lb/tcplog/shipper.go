// Package tcplog formats one flow as a log line and ships it.
//
// A Format (the built-in TCP, Default and Error, or one that ParseFormat read) turns a Record into text, as HAProxy's
// manual describes in 8.2. A Logger has a tag and the targets of some "log" lines. One Shipper for the process carries
// the texts there:
//
//  1. A loop calls Logger.Flow. The text is formatted into the loop's own buffer and copied into its own bounded ring.
//     If the ring is full the line is dropped and counted.
//  2. If the shipper's goroutine is asleep, the first line wakes it. It empties all rings, then rests for an interval in
//     which nobody wakes it, and looks again. Only when it has found nothing does it fall asleep. So a busy process pays
//     a few hundred wakes a second, an idle one none and no timer.
//  3. For each target that wants the line, the shipper puts the header before it and sends it: as a datagram from its
//     own goroutine, without ever waiting; to a descriptor through a bounded queue and a goroutine of that descriptor's.
//
// Lines of one loop and one target keep their order. No call blocks on a target. Lines that are lost are counted by
// reason, and each logger tells its own count as a line of level warning, at most once a second.
//
// The package does not decide which flows are logged, nor when or at which level: the caller does.
package tcplog

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxLine is the longest text and the longest line, in bytes: what the manual allows for "len".
const maxLine = 65535

// ShipperOptions are for the process; zero values mean the defaults.
type ShipperOptions struct {
	RingLines int           // lines that one loop may have waiting; 0: 2048
	RingBytes int           // and their bytes; 0: 256 KiB; at least 128 KiB
	Interval  time.Duration // between two looks at the rings while lines keep coming; 0: 4 ms
	Pause     time.Duration // between two tellings of dropped lines, and two tries to reach a target; 0: 1 s
}

// Shipper carries lines from the loops to the targets. One per process.
type Shipper struct {
	interval  time.Duration
	rest      time.Duration // ShipperOptions.Pause
	producers []producer    // one per loop; each is touched by its loop, but for the shipper's end of the ring
	messages  producer      // of all other goroutines, under its mutex

	// asleep and the rings' heads work together: a producer publishes its line, then looks at asleep; the shipper sets
	// asleep, then looks at the rings. Go's atomics are sequentially consistent, so at least one sees the other.
	asleep atomic.Bool
	wakeup chan struct{} // capacity 1; a token may be left over, and then costs one useless look
	closed atomic.Bool
	done   chan struct{}      // closed when the goroutine is to end
	ended  chan struct{}      // closed when it has
	flush  chan chan struct{} // a request to empty the rings now

	drops [DropReasons]atomic.Uint64

	mu      sync.Mutex
	sinks   map[string]sink // guarded by mu
	loggers []*Logger       // guarded by mu

	// The goroutine's own.
	dates headerDates
	line  []byte
	told  uint64    // the sum of drops when they were last told
	again bool      // not every logger could tell: to be tried again, but only when there is something to ship
	next  time.Time // no telling before this
	timer *time.Timer
}

// producer is what one source of lines has to itself, on cache lines of its own.
type producer struct {
	ring    *ring
	text    []byte
	scratch scratch
	mu      sync.Mutex // used by messages only
	_       [64]byte
}

// NewShipper starts a shipper for loops 0 to loops-1.
func NewShipper(loops int, o ShipperOptions) *Shipper {
	if o.RingLines <= 0 {
		o.RingLines = 2048
	}
	if o.RingBytes <= 0 {
		o.RingBytes = 256 << 10
	}
	if o.Interval <= 0 {
		o.Interval = 4 * time.Millisecond
	}
	if o.Pause <= 0 {
		o.Pause = time.Second
	}
	o.RingBytes = max(o.RingBytes, 2*(maxLine+1)) // the longest text fits, wherever the last one ended
	s := &Shipper{
		interval:  o.Interval,
		rest:      o.Pause,
		producers: make([]producer, loops),
		wakeup:    make(chan struct{}, 1),
		done:      make(chan struct{}),
		ended:     make(chan struct{}),
		flush:     make(chan chan struct{}),
		sinks:     map[string]sink{},
		timer:     time.NewTimer(time.Hour),
	}
	for i := range s.producers {
		s.producers[i].ring = newRing(o.RingLines, o.RingBytes)
	}
	s.messages.ring = newRing(o.RingLines, o.RingBytes)
	go s.run()
	return s
}

func (s *Shipper) wake() {
	if s.asleep.Load() && s.asleep.CompareAndSwap(true, false) {
		select {
		case s.wakeup <- struct{}{}:
		default:
		}
	}
}

func (s *Shipper) run() {
	defer close(s.ended)
	for {
		if s.drain() > 0 {
			if !s.pause(nil, s.interval) {
				return
			}
			continue
		}
		s.asleep.Store(true)
		if s.pending() {
			s.asleep.Store(false)
			continue
		}
		var limit time.Duration // none
		if s.dropped() != s.told {
			limit = max(time.Until(s.next), time.Millisecond)
		}
		if !s.pause(s.wakeup, limit) {
			return
		}
		s.asleep.Store(false)
	}
}

// pause waits for wakeup, for limit (0: for ever), or serves a flush. False: the shipper is to end.
func (s *Shipper) pause(wakeup <-chan struct{}, limit time.Duration) bool {
	var timeout <-chan time.Time
	if limit > 0 {
		s.timer.Reset(limit)
		defer s.timer.Stop()
		timeout = s.timer.C
	}
	select {
	case <-wakeup:
	case <-timeout:
	case reply := <-s.flush:
		s.drain()
		close(reply)
	case <-s.done:
		return false
	}
	return true
}

func (s *Shipper) pending() bool {
	for i := range s.producers {
		if !s.producers[i].ring.empty() {
			return true
		}
	}
	return !s.messages.ring.empty()
}

// drain ships what the rings hold, then tells of drops where that is due. It returns the number of lines.
func (s *Shipper) drain() int {
	now := time.Now()
	s.dates.update(now)
	n := s.drainRing(s.messages.ring)
	for i := range s.producers {
		n += s.drainRing(s.producers[i].ring)
	}
	if total := s.dropped(); (total != s.told || s.again) && !now.Before(s.next) {
		s.tell(total)
		s.next = now.Add(s.rest)
	}
	return n
}

// drainRing takes at most as many lines as the ring can hold, so that no loop keeps the shipper from the others.
func (s *Shipper) drainRing(r *ring) int {
	for n := range len(r.lines) {
		l, text := r.oldest()
		if l == nil {
			return n
		}
		s.ship(l, text)
		r.release(l)
	}
	return len(r.lines)
}

func (s *Shipper) ship(l *line, text []byte) {
	for _, t := range l.logger.targets {
		if !t.wants(l.level) {
			continue
		}
		var cut bool
		if s.line, cut = t.appendLine(s.line[:0], l.level, &s.dates, text); cut && l.logger.json {
			l.logger.drop(DropTooLong)
			continue
		}
		if reason, ok := t.sink.write(s.line); !ok {
			l.logger.drop(reason)
		}
	}
}

// tell logs, for each logger that lost lines, how many. A line that tells is not counted when it is lost in turn, for
// that would go on for ever; its number is told with the next.
func (s *Shipper) tell(total uint64) {
	s.told, s.again = total, false
	s.mu.Lock()
	loggers := s.loggers
	s.mu.Unlock()
	for _, l := range loggers {
		lost := l.dropped.Load() - l.told
		if lost == 0 {
			continue
		}
		text := append(strconv.AppendUint(nil, lost, 10), " log lines dropped"...)
		if l.json {
			text = appendJSONMessage(nil, time.Now(), Warning, l.proxy, text)
		}
		reached, wanted := false, false
		for _, t := range l.targets {
			if Warning <= t.verbose {
				s.line, _ = t.appendLine(s.line[:0], Warning, &s.dates, text)
				_, ok := t.sink.write(s.line)
				reached, wanted = reached || ok, true
			}
		}
		if reached {
			l.told += lost
		}
		s.again = s.again || wanted && !reached
	}
}

func (s *Shipper) drop(reason DropReason, n int) { s.drops[reason].Add(uint64(n)) }

func (s *Shipper) dropped() uint64 {
	sum := uint64(0)
	for i := range s.drops {
		sum += s.drops[i].Load()
	}
	return sum
}

// Dropped counts the lines that were lost, all reasons together. A line that two targets lost counts twice.
func (s *Shipper) Dropped() uint64 { return s.dropped() }

// DroppedFor counts the lines that were lost for one reason.
func (s *Shipper) DroppedFor(reason DropReason) uint64 { return s.drops[reason].Load() }

// Flush waits until everything logged before it was handed to the kernel, at most for timeout. True: it was.
func (s *Shipper) Flush(timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	reply := make(chan struct{})
	select {
	case s.flush <- reply:
		<-reply // the shipper never blocks
	case <-s.ended:
		return false
	case <-limit.C:
		return false
	}
	for !s.idle() {
		if !time.Now().Before(deadline) {
			return false
		}
		time.Sleep(time.Millisecond)
	}
	return true
}

func (s *Shipper) idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.sinks {
		if !k.idle() {
			return false
		}
	}
	return true
}

// Close drains as Flush does, then ends the shipper. What did not get out in time, and what is logged later, is dropped
// and counted; a loop that logs at this very moment may lose a line uncounted, so stop the loops before. Once only.
func (s *Shipper) Close(timeout time.Duration) bool {
	s.closed.Store(true)
	flushed := s.Flush(timeout)
	close(s.done)
	<-s.ended
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.sinks {
		k.close()
	}
	return flushed
}
