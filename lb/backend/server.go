package backend

import (
	"math"
	"sync/atomic"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Server is one server of a backend.
type Server struct {
	Name  string
	ID    int // as configured or assigned, from 1
	Index int // in Backend.Servers
	Stats *stats.Counters
	Flows stats.Gauge // flows that hold a slot

	backend  *Backend
	group    *group
	index    int // in its group
	minConn  int64
	maxQueue int64

	// Read by every choice, changed by the operator.
	maxConn     atomic.Int64 // math.MaxInt64: no limit
	weight      atomic.Int32 // 0..256
	maintenance atomic.Bool

	// Changed by every flow. served is the word on which slots are claimed.
	_      [64]byte
	served atomic.Int64
	queued atomic.Int64
	_      [64]byte

	queue fifo // of requests that wait for this server alone; guarded by the backend's mu
}

func newServer(b *Backend, c *config.Server, index, loops int) *Server {
	s := &Server{
		Name: c.Name, ID: c.ID, Index: index, Stats: stats.New(loops),
		backend: b, minConn: int64(c.MinConn), maxQueue: math.MaxInt64,
	}
	s.maxConn.Store(math.MaxInt64)
	if c.MaxConn > 0 {
		s.maxConn.Store(int64(c.MaxConn))
	}
	if c.MaxQueue > 0 {
		s.maxQueue = int64(c.MaxQueue)
	}
	s.weight.Store(int32(c.Weight))
	s.maintenance.Store(c.Disabled)
	s.queue.server = s
	return s
}

// effectiveWeight is what the algorithm balances with: zero takes the server out.
func (s *Server) effectiveWeight() int {
	if s.maintenance.Load() {
		return 0
	}
	return int(s.weight.Load())
}

// limit is the number of flows that the server may have now. With minconn below maxconn it follows the backend's load:
// in proportion to its flows, maxconn from fullconn on, never below minconn.
func (s *Server) limit() int64 {
	most := s.maxConn.Load()
	b := s.backend
	if s.minConn <= 0 || s.minConn >= most || b.fullConn <= 0 || most == math.MaxInt64 {
		return most
	}
	flows := b.Flows.Value()
	if flows >= b.fullConn {
		return most
	}
	return max(s.minConn, most*flows/b.fullConn)
}

func (s *Server) full() bool { return s.served.Load() >= s.limit() }

// claim takes one slot if there is one.
func (s *Server) claim() bool {
	for {
		n := s.served.Load()
		if n >= s.limit() {
			return false
		}
		if s.served.CompareAndSwap(n, n+1) {
			s.Flows.Add(1)
			s.group.algorithm.Changed(s.index)
			return true
		}
	}
}

// free gives one slot back, without looking for a waiter.
func (s *Server) free() {
	s.served.Add(-1)
	s.Flows.Add(-1)
	s.group.algorithm.Changed(s.index)
}

// Queued is the number of requests that wait for this server alone.
func (s *Server) Queued() int { return int(s.queued.Load()) }

// Served is the number of flows that hold a slot.
func (s *Server) Served() int { return int(s.served.Load()) }

// Weight is the configured or set weight, 0 to 256.
func (s *Server) Weight() int { return int(s.weight.Load()) }

// MaxConn is the limit of flows; zero for none.
func (s *Server) MaxConn() int {
	if n := s.maxConn.Load(); n != math.MaxInt64 {
		return int(n)
	}
	return 0
}

// InMaintenance tells whether the server is out of service by configuration or by the operator.
func (s *Server) InMaintenance() bool { return s.maintenance.Load() }

// SetWeight changes the weight, 0 to 256, for the flows to come. At 0 only the flows that are there stay.
func (s *Server) SetWeight(weight int) {
	s.weight.Store(int32(weight))
	s.stateChanged()
}

// SetMaintenance takes the server out of service or puts it back. Requests that wait for it alone are sent back: their
// Granted is called without a server, and they ask again.
func (s *Server) SetMaintenance(out bool) {
	s.maintenance.Store(out)
	s.stateChanged()
}

// SetMaxConn changes the limit; zero lifts it. Flows above a lowered limit are let finish.
func (s *Server) SetMaxConn(n int) {
	if n <= 0 {
		s.maxConn.Store(math.MaxInt64)
	} else {
		s.maxConn.Store(int64(n))
	}
	s.stateChanged()
}

func (s *Server) stateChanged() {
	s.group.algorithm.SetWeight(s.index, s.effectiveWeight())
	s.group.algorithm.Changed(s.index)
	b := s.backend
	if s.effectiveWeight() == 0 {
		b.sendBack(s)
	}
	for _, x := range b.Servers { // a backup may now serve, or no longer
		b.handOver(x)
	}
}
