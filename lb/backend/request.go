package backend

import (
	"net/netip"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Waiter is told what became of its queued request.
type Waiter interface {
	// Granted says that the request has left the queue: with a server, whose slot it holds; without one, it was sent back
	// because its server went out of service, and is to ask again. It is called on any goroutine, under a lock: it must
	// only pass the word on.
	Granted()
}

// Request is a flow's wish for a server. It is embedded in the flow. Between Admit and its outcome the backend owns it.
type Request struct {
	Waiter Waiter
	Source netip.Addr // the client's, for hashes
	Port   uint16     // the client's port, for hashes
	Loop   int        // the flow's loop, for counters

	Server      *Server // holds a slot there; nil: none
	QueueAhead  int     // requests that were waiting at the backend when this one was queued
	ServerAhead int     // the same at its server
	WasQueued   bool

	avoid *Server // the server that has just failed

	// Guarded by the backend's mu while the request waits.
	next, prev *Request
	at         *fifo
	sequence   uint64
}

// Outcome of an admission.
type Outcome uint8

// The outcomes.
const (
	Granted   Outcome = iota // Request.Server has a slot for it
	Waiting                  // queued: Waiter.Granted will be called, unless Cancel comes first
	NoServer                 // no server is usable
	QueueFull                // the queues that it may wait in are full
)

// Admit looks for a server for r.
func (b *Backend) Admit(r *Request) Outcome {
	b.Flows.Add(1)
	r.WasQueued, r.QueueAhead, r.ServerAhead, r.avoid = false, 0, 0, nil
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
	b.giveBack(r)
	b.Flows.Add(-1)
}

func (b *Backend) giveBack(r *Request) {
	s := r.Server
	if s == nil {
		return
	}
	r.Server = nil
	s.free()
	b.handOver(s)
}

// admit is the admission: no barging while anyone waits in the queue that r would wait in.
func (b *Backend) admit(r *Request) Outcome {
	g, single := b.eligible()
	if g == nil {
		b.Stats.Add(r.Loop, stats.NoServer, 1)
		return NoServer
	}
	if b.waits || single != nil {
		return b.admitTo(r, g, single)
	}
	if b.waiting.Load() == 0 || b.backendQueueEmpty() {
		if s := b.choose(g, r); s != nil {
			b.assign(r, s)
			return Granted
		}
	}
	return b.wait(r, &b.queue)
}

// admitTo admits to the one server that r is bound to: single, or the one that its hash leads to.
func (b *Backend) admitTo(r *Request, g *group, s *Server) Outcome {
	if s == nil {
		i := g.algorithm.Choose(b.key(r), r.avoidIndex(g))
		if i < 0 {
			b.Stats.Add(r.Loop, stats.NoServer, 1)
			return NoServer
		}
		s = g.servers[i]
	}
	if s.queued.Load() == 0 && s.claim() {
		b.assign(r, s)
		return Granted
	}
	if s.queued.Load() >= s.maxQueue {
		// The manual: a server whose queue is full gives its requests to the others.
		return b.wait(r, &b.queue)
	}
	return b.wait(r, &s.queue)
}

// choose asks the algorithm until a chosen server's slot could be claimed. Each round that fails saw a server that filled
// up in between; after as many as there are servers the request queues, and looks once more from there.
func (b *Backend) choose(g *group, r *Request) *Server {
	avoid := r.avoidIndex(g)
	for range len(g.servers) + 1 {
		i := g.algorithm.Choose(b.key(r), avoid)
		if i < 0 {
			return nil
		}
		if s := g.servers[i]; s.claim() {
			return s
		}
	}
	return nil
}

func (r *Request) avoidIndex(g *group) int {
	if r.avoid != nil && r.avoid.group == g {
		return r.avoid.index
	}
	return -1
}

func (b *Backend) assign(r *Request, s *Server) {
	r.Server = s
	b.Stats.Add(r.Loop, stats.Sessions, 1)
	s.Stats.Add(r.Loop, stats.Sessions, 1)
}

func (b *Backend) key(r *Request) uint32 {
	if b.keyFunction == nil {
		return 0
	}
	return b.keyFunction(r)
}

// keyFunction gives what a hash of p reads from a request; nil for the algorithms that need no key.
func keyFunction(p *config.Proxy) func(*Request) uint32 {
	if p.Balance.Algorithm != config.SourceHash && p.Balance.Algorithm != config.Hash {
		return nil
	}
	options, balanceBy := algorithmOptions(p), p.Balance
	return func(r *Request) uint32 {
		var b [18]byte
		n := 0
		if source := r.Source.Unmap(); source.Is4() {
			a := source.As4()
			n = copy(b[:], mask(a[:], balanceBy.Mask4, 32))
		} else if source.Is6() {
			a := source.As16()
			n = copy(b[:], mask(a[:], balanceBy.Mask6, 128))
		}
		if balanceBy.WithPort {
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
