package backend

import (
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Server is one server of a backend.
type Server struct {
	Name   string
	ID     int            // as configured or assigned, from 1
	Config *config.Server // what its line said; never changed
	Data   any            // its user's own: lb/flow keeps there how the server is reached
	Stats  *stats.Counters
	Flows  stats.Gauge      // flows that hold a slot
	Waited *stats.Histogram // microseconds that granted flows waited

	// OnHasten is told when the next check of the server should come within d, because flows saw it fail ("observe"). Set it
	// before the backend is used; it is called under the backend's lock, and must neither call back nor block.
	OnHasten func(d time.Duration)

	backend *Backend
	group   *group
	index   int    // in its group
	order   uint32 // among all that the backend has had
	settings
	slots         *queue.Server
	minConn       int64
	follows       bool // minconn below maxconn: the limit follows the backend's load
	maxQueue      int  // 0: no limit
	initialWeight int
	slowStart     time.Duration
	tracks        *Server
	followers     atomic.Pointer[[]*Server] // who track this one; replaced under the backend's mu

	// Guarded by the backend's mu.
	condition
	absent       bool  // it is not yet, or no longer, one of the backend's: nothing that happens to it counts
	stepDue      bool  // slow start's next step is scheduled
	counted      tally // what it has added to the sums of its group
	given        int   // the weight that the algorithm was told
	givenInPanic int

	consecutive atomic.Uint32 // connects that failed in a row, where they are observed

	// Changed under the backend's mu, read by every choice.
	published atomic.Uint32 // operation, and admin from bit 8 on
	maxConn   atomic.Int64  // queue.Unlimited: no limit
	weight    atomic.Int32  // 0..256
	toldLimit atomic.Int64  // the dynamic limit of which the algorithm was last told
	rising    atomic.Int64  // when slow start began, on the backend's clock; 0: it is over
}

func newServer(b *Backend, c *config.Server, loops int) *Server {
	s := &Server{
		Name: c.Name, ID: c.ID, Config: c, Stats: stats.New(loops), Waited: stats.NewHistogram(loops),
		backend: b, order: b.order, minConn: int64(c.MinConn), maxQueue: c.MaxQueue, slowStart: c.SlowStart,
	}
	s.maxConn.Store(queue.Unlimited)
	if c.MaxConn > 0 {
		s.maxConn.Store(int64(c.MaxConn))
	}
	s.weight.Store(int32(c.Weight))
	s.initialWeight = c.Weight
	s.follows = s.minConn > 0 && s.minConn < s.maxConn.Load() && b.fullConn > 0
	var dynamic func() int64
	if s.follows || s.slowStart > 0 {
		dynamic = s.dynamicLimit
	}
	s.slots = b.pool.NewServer(nil, s.maxConn.Load(), dynamic)
	s.slots.Data = s
	b.order++
	return s
}

// Backend is the backend that the server belongs to.
func (s *Server) Backend() *Backend { return s.backend }

// dynamicLimit is the limit for the moment. With minconn it follows the backend's flows: in proportion to them, maxconn from
// fullconn on, not below minconn, and never above maxconn, which may have been lowered since. During slow start it is cut to the share of the time that has passed, at least 1.
func (s *Server) dynamicLimit() int64 {
	limit := s.maxConn.Load()
	if limit == queue.Unlimited {
		return limit
	}
	if flows := s.backend.Flows.Value(); s.follows && flows < s.backend.fullConn {
		limit = min(limit, max(s.minConn, limit*flows/s.backend.fullConn))
	}
	if s.rising.Load() != 0 {
		limit = max(1, limit*int64(s.risen())/100)
	}
	return limit
}

// Queued is the number of requests that wait for this server alone.
func (s *Server) Queued() int { return s.slots.Waiting() }

// HighestQueue is the highest number of requests that waited for this server alone.
func (s *Server) HighestQueue() int { return s.slots.Highest() }

// QueueCounts is what the server's own queue has counted.
func (s *Server) QueueCounts() queue.Counts { return s.slots.Counts() }

// Served is the number of flows that hold a slot.
func (s *Server) Served() int { return int(s.slots.Served()) }

// Weight is the configured or set weight, 0 to 256.
func (s *Server) Weight() int { return int(s.weight.Load()) }

// MaxConn is the limit of flows; zero for none.
func (s *Server) MaxConn() int {
	if n := s.maxConn.Load(); n != queue.Unlimited {
		return int(n)
	}
	return 0
}

// SetWeight changes the weight, 0 to 256, for the flows to come. At 0 only the flows that are there stay.
func (s *Server) SetWeight(weight int) {
	s.change(func() { s.setWeight(weight) })
}

func (s *Server) setWeight(weight int) {
	if s.weight.Swap(int32(weight)) != int32(weight) {
		s.apply()
		s.backend.settle()
	}
}

// SetMaintenance is SetAdmin with Maint or Ready.
func (s *Server) SetMaintenance(out bool) {
	if out {
		s.SetAdmin(Maint)
	} else {
		s.SetAdmin(Ready)
	}
}

// SetMaxConn changes the limit; zero lifts it. Waiters get the slots that are new at once; flows above a lowered limit are
// let finish.
func (s *Server) SetMaxConn(n int) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	s.setMaxConn(n)
}

func (s *Server) setMaxConn(n int) {
	limit := int64(n)
	if n <= 0 {
		limit = queue.Unlimited
	}
	s.maxConn.Store(limit)
	s.slots.SetLimit(anyLoop, limit)
	s.changedLoad()
}
