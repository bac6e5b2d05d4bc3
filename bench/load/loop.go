//go:build linux

package load

import (
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// loop is one thread's share of a run. Its own thread alone touches it, except for wake, until it has ended.
//
// A round: the clock's edges, what timed out, retries, openings, what the schedule has due, and then the events.
type loop struct {
	r     *run
	index int
	poll  *epoll
	mail  int // an eventfd

	conns   []conn
	scratch []byte

	targets, sources []endpoint
	turn             int

	// unopened is the first connection not opened yet; opening counts those under way for the first time.
	unopened, opening int
	retries           ring[retry]
	nextScan          int64

	// Open loop: requests next, next+1, ... of this loop are not sent yet, number n is due at start + n×step (of a burst: when its first is). idle are the connections that
	// could take one. blocked: the schedule has waited for a connection and has not caught up since. flying are under way.
	scheduled   bool
	start       int64
	step        float64
	next        int64
	idle        ring[int32]
	blocked     bool
	flying      int
	phase       phase
	began       time.Duration // this thread's CPU time at the beginning of the measured time
	used        time.Duration // and within it
	held        uint64
	requests    uint64
	connections uint64

	bytesIn, bytesOut, bulkIn, bulkOut, queued uint64

	errors            map[string]uint64
	latency, lateness *hdrhistogram.Histogram
	perTarget         []*hdrhistogram.Histogram // nil: they are not kept apart
	timeline          []Tick
}

// phase is where the run is: each loop looks for itself.
type phase int

const (
	warming phase = iota
	measuring
	ended
)

const (
	// openingAtOnce bounds a loop's first connects under way, so that a listener's backlog does not overflow for that alone.
	openingAtOnce = 128
	scanEvery     = int64(100 * time.Millisecond)
	// mailIndex is the eventfd's in an event.
	mailIndex = -1
)

type endpoint struct {
	family  int
	address unix.Sockaddr
}

type retry struct {
	index int32
	due   int64
}

func newLoop(r *run, index int) (*loop, error) {
	spec := &r.spec
	l := &loop{
		r: r, index: index,
		scratch: make([]byte, 1<<20),
		errors:  map[string]uint64{},
		latency: newHistogram(), lateness: newHistogram(), perTarget: spec.apart(),
		timeline: make([]Tick, spec.Duration/tick+1),
	}
	for i := index; i < spec.Connections; i += spec.Threads {
		l.conns = append(l.conns, conn{x: &r.small})
	}
	if spec.bulk() {
		for i := range l.conns {
			l.conns[i].x = &r.bulk
		}
	}
	for i := index; i < spec.BulkConnections; i += spec.Threads {
		l.conns = append(l.conns, conn{x: &r.bulk})
	}
	for i := range l.conns {
		l.conns[i].index = int32(i)
	}
	l.retries = newRing[retry](len(l.conns))
	l.idle = newRing[int32](len(l.conns))
	if spec.open() {
		l.step = 1e9 * float64(spec.Threads) / spec.Rate
	}
	for _, target := range spec.Targets {
		family, address := address(target)
		l.targets = append(l.targets, endpoint{family, address})
	}
	for _, source := range spec.Sources {
		family, address := address(addressOnly(source))
		l.sources = append(l.sources, endpoint{family, address})
	}
	l.turn = index
	var err error
	if l.poll, err = newEpoll(); err != nil {
		return nil, err
	}
	if l.mail, err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
		unix.Close(l.poll.fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	if errno := l.poll.control(unix.EPOLL_CTL_ADD, int32(l.mail), unix.EPOLLIN, mailIndex, 0); errno != 0 {
		l.free()
		return nil, os.NewSyscallError("epoll_ctl", errno)
	}
	return l, nil
}

// wake makes the loop look at the run's edges. Anybody may call it until the loop is freed.
func (l *loop) wake() {
	_, _ = unix.Write(l.mail, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // full: it wakes anyway
}

// free closes what is open. Connections end with a reset: the next run finds no TIME_WAIT of this one.
func (l *loop) free() {
	for i := range l.conns {
		if c := &l.conns[i]; c.state > away {
			l.reset(c)
		}
	}
	unix.Close(l.mail)
	unix.Close(l.poll.fd)
}

func (l *loop) run() error {
	var cpus []int
	if n := len(l.r.spec.CPUs); n > 0 {
		cpus = l.r.spec.CPUs[l.index%n : l.index%n+1]
	}
	if err := ownThread(cpus); err != nil {
		return err
	}
	if l.r.spec.connects() {
		l.unopened = l.spare()
	}
	for {
		now := l.r.now()
		l.look(now)
		if l.finished(now) {
			l.giveUp(now)
			return nil
		}
		if now >= l.nextScan {
			l.nextScan = now + scanEvery
			l.scan(now)
		}
		l.again(now)
		l.openMore(now)
		l.pump(now)
		events, err := l.poll.wait(l.untilNext(l.r.now()))
		if err != nil {
			return err
		}
		for i := range events {
			l.event(&events[i])
		}
	}
}

// spare makes all connections idle, in an open loop that connects for each request. It gives the first one that is to be opened beforehand.
func (l *loop) spare() int {
	if !l.r.spec.open() {
		return 0
	}
	for i := range l.conns {
		l.idle.push(int32(i))
	}
	return len(l.conns)
}

// look notices the edges of the measured time.
func (l *loop) look(now int64) {
	if l.phase == warming && now >= l.r.begin.Load() {
		l.phase = measuring
		user, system := cpuTime(unix.RUSAGE_THREAD)
		l.began = user + system
	}
	if l.phase < ended && now >= l.r.end.Load() {
		if l.phase == measuring {
			user, system := cpuTime(unix.RUSAGE_THREAD)
			l.used = user + system - l.began
			if l.r.spec.holds() {
				l.connections = l.held
			}
		}
		l.phase = ended
	}
	if l.step > 0 && !l.scheduled && (l.r.opened.Load() >= l.r.toOpen || now >= l.r.begin.Load()) {
		l.scheduled = true
		l.start = now + int64(l.step*float64(l.index)/float64(l.r.spec.Threads))
	}
}

func (l *loop) finished(now int64) bool {
	end := l.r.end.Load()
	switch {
	case l.phase != ended:
		return false
	case l.step == 0 || !l.scheduled || end == 0 || now >= end+int64(l.r.spec.Drain):
		return true
	default:
		return l.flying == 0 && l.due(l.next) >= end
	}
}

// giveUp counts what the schedule had due within the measured time and nobody answered.
func (l *loop) giveUp(now int64) {
	if l.step == 0 || !l.scheduled {
		return
	}
	lost := func(due int64) {
		if due >= l.r.begin.Load() && due < l.r.end.Load() {
			l.errors["unanswered"]++
			record(l.latency, now-due)
		}
	}
	for i := range l.conns {
		if c := &l.conns[i]; c.flying {
			lost(c.began)
		}
	}
	for ; l.due(l.next) < min(now, l.r.end.Load()); l.next++ {
		lost(l.due(l.next))
	}
}

// due is when request n is to be sent. It does not become less as n grows.
func (l *loop) due(n int64) int64 {
	return l.start + int64(float64(n-n%int64(l.r.spec.Burst))*l.step)
}

// pump sends what is due on connections that are idle.
func (l *loop) pump(now int64) {
	if !l.scheduled {
		return
	}
	for {
		due := l.due(l.next)
		if due > now || due >= l.r.end.Load() {
			l.blocked = false
			return
		}
		if l.idle.len() == 0 {
			l.blocked = true
			return
		}
		if due >= l.r.begin.Load() {
			if l.blocked {
				l.queued++
			} else {
				record(l.lateness, now-due)
			}
		}
		l.next++
		c := &l.conns[l.idle.pop()]
		c.flying = true
		l.flying++
		if c.state == away {
			l.open(c, due, true)
		} else {
			l.exchange(c, due, now)
		}
	}
}

// openMore opens connections for the first time.
func (l *loop) openMore(now int64) {
	for l.unopened < len(l.conns) && l.opening < openingAtOnce && l.phase < ended && l.openingDue() <= now {
		c := &l.conns[l.unopened]
		l.unopened++
		l.opening++
		c.first = true
		l.open(c, now, l.step == 0 || c.x.stream)
	}
}

// openingDue is when the next connection is to be opened for the first time, by the rate of the kinds that hold theirs.
func (l *loop) openingDue() int64 {
	spec := &l.r.spec
	if !spec.holds() || spec.Rate == 0 {
		return 0
	}
	return int64(float64(l.unopened*spec.Threads+l.index) * 1e9 / spec.Rate)
}

// again opens connections whose wait after a failure is over.
func (l *loop) again(now int64) {
	for l.retries.len() > 0 && l.retries.first().due <= now && l.phase < ended {
		c := &l.conns[l.retries.pop().index]
		switch {
		case l.step > 0 && l.r.spec.connects():
			l.idle.push(c.index)
		default:
			l.open(c, now, l.step == 0 || c.x.stream)
		}
	}
}

// scan ends what takes longer than the timeout.
func (l *loop) scan(now int64) {
	before := now - int64(l.r.spec.Timeout)
	for i := range l.conns {
		c := &l.conns[i]
		endless := c.state == busy && c.x.stream && !c.x.counted
		if (c.state == connecting || c.state == busy || c.state == closing) && c.started < before && !endless {
			l.fail(c, "timeout")
		}
	}
}

// untilNext is how long the loop may wait for events.
func (l *loop) untilNext(now int64) time.Duration {
	next := l.nextScan
	if l.phase == warming {
		next = min(next, l.r.begin.Load())
	}
	if l.phase < ended {
		next = min(next, l.r.end.Load())
		if l.retries.len() > 0 {
			next = min(next, l.retries.first().due)
		}
		if l.unopened < len(l.conns) && l.opening < openingAtOnce {
			next = min(next, l.openingDue())
		}
	} else {
		next = min(next, l.r.end.Load()+int64(l.r.spec.Drain))
	}
	if l.scheduled && l.idle.len() > 0 {
		next = min(next, l.due(l.next))
	}
	return time.Duration(next - now)
}
