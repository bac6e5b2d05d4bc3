//go:build linux

package race

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/bench/frame"
)

// lane is one balanced service with clients of its own. Many lanes run side by side, so that one in which a request is
// stuck does not hold up the others.
type lane struct {
	address syscall.SockaddrInet4
	clients []client
	busy    int           // clients that have a request, or are about to
	served  time.Duration // when the last answer came

	// While timedOut is not 0, all wait until the lane is empty, and then it is known what became of those who were busy.
	timedOut uint64 // requests that ended by timeout queue
	slow     bool   // a server was busy in the second half of their wait, or longer
}

type client struct {
	lane     *lane
	fd       int           // -1: none
	start    time.Duration // of the next request, when pending
	began    time.Duration
	answered bool
}

// request asks an origin for one byte, and the end.
var request = func() []byte {
	b := make([]byte, frame.Header)
	frame.Put(b, frame.Header, 1, true)
	return b
}()

// load is what the clients of all lanes do. A request is: connect, send it, receive a byte, read the end, close.
type load struct {
	lanes  []*lane
	steady bool // clients go on by themselves; otherwise a lane's clients make one request each, and wait for each other
	spread time.Duration
	limit  uint64 // requests; 0: none
	queue  time.Duration

	poll    *poll
	began   time.Time
	owner   map[int]*client // by descriptor
	pending []*client
	latency time.Duration // moving average of those that were answered
	LoadResult
}

// LoadResult is what the clients saw.
type LoadResult struct {
	Requests  uint64            `json:"requests"`  // that have ended
	Stuck     uint64            `json:"stuck"`     // of these, that ended by timeout queue while the lane's servers were idle
	Incidents uint64            `json:"incidents"` // lanes that had stuck requests, each time until all was quiet there
	Late      uint64            `json:"late"`      // ended by timeout queue while the lane's servers were busy: the machine is too slow
	Failed    uint64            `json:"failed"`    // ended without an answer otherwise
	Causes    map[string]uint64 `json:"causes,omitempty"`
	Longest   time.Duration     `json:"longest"` // until an answer came
	Elapsed   time.Duration     `json:"elapsed"`
}

// newLoad makes n clients for each address.
func newLoad(listening []netip.AddrPort, n int) (*load, error) {
	p, err := newPoll()
	if err != nil {
		return nil, err
	}
	l := &load{poll: p, owner: map[int]*client{}, latency: time.Millisecond}
	l.Causes = map[string]uint64{}
	for _, address := range listening {
		x := &lane{address: syscall.SockaddrInet4{Addr: address.Addr().As4(), Port: int(address.Port())}, clients: make([]client, n)}
		for i := range x.clients {
			x.clients[i] = client{lane: x, fd: -1}
		}
		l.lanes = append(l.lanes, x)
	}
	return l, nil
}

// noEnd is why a request failed that was given up here.
const noEnd = "no end"

// patience is how long beyond timeout queue a request may last before it counts as lost.
const patience = 5 * time.Second

// run makes requests until the limit is reached or ctx ends, and then lets those that are under way end.
func (l *load) run(ctx context.Context) error {
	defer l.poll.close()
	l.began = time.Now()
	for _, x := range l.lanes {
		l.round(x)
	}
	for swept := time.Duration(0); len(l.owner) > 0 || len(l.pending) > 0; {
		now := time.Since(l.began)
		if ctx.Err() != nil {
			for _, c := range l.pending {
				c.lane.busy--
			}
			l.pending = l.pending[:0]
		}
		if err := l.startDue(now); err != nil {
			return err
		}
		wait := 50 * time.Millisecond
		if len(l.pending) > 0 {
			wait = time.Millisecond
			if l.between() < 2*time.Millisecond {
				wait = 0 // starts lie microseconds ahead: rather use a core than miss them
			}
		}
		events, err := l.poll.wait(wait)
		if err != nil {
			return err
		}
		for _, e := range events {
			l.ready(l.owner[int(e.Fd)], e.Events)
		}
		if now-swept > time.Second {
			swept = now
			l.sweep(now)
		}
	}
	l.Elapsed = time.Since(l.began)
	for _, x := range l.lanes {
		l.judge(x)
	}
	return nil
}

// round plans one request for each client of a lane that is empty.
func (l *load) round(x *lane) {
	l.judge(x)
	for i := range x.clients {
		l.plan(&x.clients[i])
	}
}

// judge says what became of the requests that timed out in a lane that is empty.
func (l *load) judge(x *lane) {
	switch {
	case x.timedOut > 0 && x.slow:
		l.Late += x.timedOut
	case x.timedOut > 0:
		l.Stuck += x.timedOut
		l.Incidents++
	}
	x.timedOut, x.slow = 0, false
}

// plan lets a client make its next request at a random moment within the spread: by default as long as a request lasts,
// so that one comes when another goes.
func (l *load) plan(c *client) {
	c.start = time.Since(l.began) + rand.N(l.between())
	c.lane.busy++
	l.pending = append(l.pending, c)
}

func (l *load) between() time.Duration {
	if l.spread > 0 {
		return l.spread
	}
	return l.latency
}

func (l *load) startDue(now time.Duration) error {
	kept := l.pending[:0]
	for _, c := range l.pending {
		switch {
		case l.limit > 0 && l.Requests+uint64(len(l.owner)) >= l.limit:
			c.lane.busy--
		case c.start > now:
			kept = append(kept, c)
		default:
			if err := l.start(c); err != nil {
				return err
			}
		}
	}
	l.pending = kept
	return nil
}

func (l *load) start(c *client) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	c.fd, c.began, c.answered = fd, time.Since(l.began), false
	l.owner[fd] = c
	// Over loopback the connection is usually there when connect returns, whatever it says.
	err = syscall.Connect(fd, &c.lane.address)
	if err != nil && !again(err) {
		return os.NewSyscallError("connect", err)
	}
	switch _, err := syscall.Write(fd, request); {
	case err == nil:
		return l.poll.add(fd, readable)
	case again(err) || err == syscall.ENOTCONN:
		return l.poll.add(fd, writable)
	}
	return l.poll.add(fd, readable) // the read will tell
}

func (l *load) ready(c *client, events uint32) {
	if events&(writable|syscall.EPOLLERR|syscall.EPOLLHUP) == writable {
		if _, err := syscall.Write(c.fd, request); err == nil && l.poll.change(c.fd, readable) == nil {
			return
		}
	}
	var answer [64]byte
	for {
		n, err := syscall.Read(c.fd, answer[:])
		switch {
		case n > 0:
			c.answered = true
			continue
		case err != nil && again(err):
			return
		case err != nil:
			l.ended(c, err.Error())
		default:
			l.ended(c, "closed")
		}
		return
	}
}

// ended counts a request, and lets the next one begin.
func (l *load) ended(c *client, cause string) {
	lasted := time.Since(l.began) - c.began
	syscall.Close(c.fd)
	delete(l.owner, c.fd)
	x := c.lane
	c.fd = -1
	x.busy--
	l.Requests++
	switch {
	case c.answered && cause != noEnd:
		x.served = time.Since(l.began)
		x.slow = x.timedOut > 0
		l.Longest = max(l.Longest, lasted)
		l.latency = max(l.latency+(lasted-l.latency)/64, time.Microsecond)
	case lasted >= l.queue*95/100 && cause != noEnd:
		x.timedOut++
		x.slow = x.slow || x.served > c.began+l.queue/2
	default:
		l.Failed++
		l.Causes[cause]++
	}
	switch {
	case x.busy == 0:
		l.round(x)
	case l.steady && x.timedOut == 0:
		l.plan(c)
	}
}

// sweep gives requests up that do not end at all.
func (l *load) sweep(now time.Duration) {
	for _, c := range l.owner {
		if now-c.began > l.queue+patience {
			l.ended(c, noEnd)
		}
	}
}
