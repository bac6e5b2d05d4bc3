package backend

import (
	"net/netip"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Waiter is told what became of its queued request.
type Waiter interface {
	// Granted says that the request has left the queue: with a server, whose slot it holds; without one, it was sent back
	// because its server went out of service, and is to ask again. It is called on any goroutine, and must only pass the
	// word on.
	Granted()
}

// Request is a flow's wish for a server. It is embedded in the flow. Between Admit and its outcome the backend owns it.
type Request struct {
	Waiter Waiter
	Source netip.Addr    // the client's, for hashes
	Loop   int           // the flow's loop: its stripe of the queue, its shard of the counters
	Now    time.Duration // of the call, on any clock that all loops share: places it in the queue

	Port   uint16 // the client's port, for hashes
	Class  int16  // places the request before all of a higher class in the queue
	Offset int32  // milliseconds; shifts its arrival against others of its class

	Server      *Server // holds a slot there; nil: none
	Queued      bool    // it had to wait
	QueueAhead  int32   // its place in the backend's queue: the grants there until its own, that one included
	ServerAhead int32   // the same at its server

	avoid   *Server // the server that has just failed
	waiter  queue.Waiter
	bound   *Server  // at which it waits; nil: at the backend
	backend *Backend // where it waits
	before  uint64   // grants at the place where it waits, before it did
}

// LastClass is behind all others.
const LastClass = queue.MaxClass

// Outcome of an admission.
type Outcome uint8

// The outcomes.
const (
	Granted  Outcome = iota // Request.Server has a slot for it
	Waiting                 // queued: Waiter.Granted will be called, unless Cancel comes first
	NoServer                // no server is usable
)

// Admit looks for a server for r.
func (b *Backend) Admit(r *Request) Outcome {
	b.Flows.Add(1)
	if b.dynamic.Load() {
		b.fillDynamic(r.Loop)
	}
	r.Queued, r.QueueAhead, r.ServerAhead, r.avoid = false, 0, 0, nil
	return b.admit(r)
}

// Redispatch gives r's slot back and looks for another server; the one that failed is taken only if there is no other.
func (b *Backend) Redispatch(r *Request) Outcome {
	failed := r.Server
	b.giveBack(r)
	r.avoid = failed
	return b.admit(r)
}

// Retry asks again after r was sent back from the queue of a server that went out of service.
func (b *Backend) Retry(r *Request) Outcome { return b.admit(r) }

// Release ends what Admit began: the slot, if r holds one, goes to the next waiter.
func (b *Backend) Release(r *Request) {
	b.Flows.Add(-1)
	b.giveBack(r)
}

func (b *Backend) giveBack(r *Request) {
	s := r.Server
	if s == nil {
		return
	}
	r.Server = nil
	s.Flows.Add(-1)
	s.slots.Release(r.Loop)
}

// fillDynamic hands out the slots that limits have gained because the backend has more flows now, and tells the algorithm,
// which may have passed over a server that was full.
func (b *Backend) fillDynamic(loop int) {
	for _, s := range b.Servers() {
		if !s.follows {
			continue
		}
		if s.Queued() > 0 || b.Queued() > 0 {
			s.slots.Fill(loop)
		}
		if limit := s.slots.Limit(); s.toldLimit.Swap(limit) != limit {
			s.changedLoad()
		}
	}
}

// admit claims a slot, or queues. Each turn ends it, but for a server that was closed while r queued at it.
func (b *Backend) admit(r *Request) Outcome {
	for {
		g, single := b.eligible()
		if g == nil {
			b.Stats.Add(r.Loop, stats.NoServer, 1)
			return NoServer
		}
		var bound *Server
		if b.bound || single != nil {
			if bound = single; bound == nil {
				at := g.standing.Load()
				i := at.algorithm.Choose(b.keyOf(r), r.avoidIndex(at))
				if i < 0 {
					if now, _ := b.eligible(); now != g {
						continue // others serve since
					}
					b.Stats.Add(r.Loop, stats.NoServer, 1)
					return NoServer
				}
				if bound = at.places[i].Load(); bound == nil {
					continue // it has just been removed
				}
			}
			if bound.slots.Admit() {
				r.assign(bound)
				return Granted
			}
			if bound.maxQueue > 0 && bound.Queued() >= bound.maxQueue {
				bound = nil // the manual: a server whose queue is full leaves its requests to the others
			}
		} else if s := b.choose(g, r); s != nil {
			r.assign(s)
			return Granted
		}
		switch outcome := b.wait(r, bound); outcome {
		case queue.TryAgain:
			return Granted
		case queue.Waiting:
			return Waiting
		}
	}
}

// headStart is put before the clock's zero, so that no negative offset leads to a time before it, which would be cut to it, and
// those who arrive while the clock is young would lose their order. Offsets have 19 bits of milliseconds.
const headStart = 1 << 19 * time.Millisecond

// wait queues r at bound, or at the backend.
func (b *Backend) wait(r *Request, bound *Server) queue.Outcome {
	if !r.Queued {
		b.Stats.Add(r.Loop, stats.Queued, 1)
	}
	r.Queued, r.backend, r.bound = true, b, bound
	var at *queue.Server
	r.before = grants(b.pool.Counts())
	if bound != nil {
		at = bound.slots
		r.before = grants(at.Counts())
	}
	r.waiter.Owner = r.owner()
	r.waiter.Key = queue.MakeKey(int(r.Class), int64((r.Now+headStart)/time.Microsecond), int64(r.Offset))
	outcome, s := b.pool.Wait(r.Loop, &r.waiter, at)
	if outcome == queue.TryAgain {
		r.granted(s.Data.(*Server))
	}
	return outcome
}

// grants is how many waiters left a queue with a slot.
func grants(c queue.Counts) uint64 { return c.Direct + c.Requeued }

// choose asks the algorithm until a chosen server's slot could be claimed. Each round that fails saw a server that filled
// up in between, or somebody who waits; after as many as there are servers the request queues, and looks again there.
func (b *Backend) choose(g *group, r *Request) *Server {
	if b.pool.Waiting() > 0 {
		return nil
	}
	at := g.standing.Load()
	avoid, key := r.avoidIndex(at), b.keyOf(r)
	for range at.servers.Load() + 1 {
		i := at.algorithm.Choose(key, avoid)
		if i < 0 {
			return nil
		}
		if s := at.places[i].Load(); s != nil && s.slots.Admit() {
			return s
		}
	}
	return nil
}

func (r *Request) avoidIndex(at *standing) int {
	if r.avoid != nil {
		return at.place(r.avoid)
	}
	return -1
}

func (r *Request) assign(s *Server) {
	r.Server = s
	s.Flows.Add(1)
	s.backend.Stats.Add(r.Loop, stats.Sessions, 1)
	s.Stats.Add(r.Loop, stats.Sessions, 1)
}

// granted takes the slot that a waiter got.
func (r *Request) granted(s *Server) {
	r.place(0)
	r.assign(s)
}

// owner is what lb/queue sees of a waiting request. The request belongs to the caller alone then: to be taken out of a
// queue happens once.
func (r *Request) owner() queue.Owner { return (*owner)(r) }

type owner Request

// Granted is queue.Owner's.
func (o *owner) Granted(s *queue.Server) {
	r := (*Request)(o)
	r.granted(s.Data.(*Server))
	r.Waiter.Granted()
}

// SentBack is queue.Owner's.
func (o *owner) SentBack() { (*Request)(o).Waiter.Granted() }

// Cancel takes r out of its queue: its flow gives up. False means that the grant came first: Waiter.Granted was called, or is
// about to be, and r may hold a slot then.
func (b *Backend) Cancel(r *Request) bool {
	if !b.pool.Cancel(&r.waiter) {
		return false
	}
	r.place(1)
	return true
}

// place notes how far r came in the queue: the grants there since it queued, and more.
func (r *Request) place(more int32) {
	if r.bound != nil {
		r.ServerAhead += int32(grants(r.bound.slots.Counts())-r.before) + more
	} else {
		r.QueueAhead += int32(grants(r.backend.pool.Counts())-r.before) + more
	}
}

// WaitsAt is the server at which a queued request waits; nil: it waits for any. Its loop calls it.
func (r *Request) WaitsAt() *Server { return r.bound }

// CountWait notes how long a granted request has waited. Its loop calls it.
func (r *Request) CountWait(d time.Duration) {
	us := uint64(d / time.Microsecond)
	r.Server.Waited.Add(r.Loop, us)
	r.Server.backend.Waited.Add(r.Loop, us)
}

func (b *Backend) keyOf(r *Request) uint32 {
	if b.key == nil {
		return 0
	}
	return b.key(r)
}

// keyFunction gives what a hash of p reads from a request; nil for the algorithms that need no key.
func keyFunction(p *config.Proxy) func(*Request) uint32 {
	if p.Balance.Algorithm != config.SourceHash && p.Balance.Algorithm != config.Hash {
		return nil
	}
	options, by := algorithmOptions(p), p.Balance
	return func(r *Request) uint32 {
		var b [18]byte
		n := 0
		if source := r.Source.Unmap(); source.Is4() {
			a := source.As4()
			n = copy(b[:], mask(a[:], by.Mask4, 32))
		} else if source.Is6() {
			a := source.As16()
			n = copy(b[:], mask(a[:], by.Mask6, 128))
		}
		if by.WithPort {
			b[n], b[n+1] = byte(r.Port>>8), byte(r.Port)
			n += 2
		}
		return options.Key(b[:n])
	}
}

// mask clears all but the first bits of address; zero stands for all.
func mask(address []byte, bits, all int) []byte {
	if bits <= 0 || bits >= all {
		return address
	}
	for i := range address {
		switch keep := bits - 8*i; {
		case keep <= 0:
			address[i] = 0
		case keep < 8:
			address[i] &= 0xff << (8 - keep)
		}
	}
	return address
}
