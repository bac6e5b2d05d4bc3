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
	ID     int // as configured or assigned, from 1
	Index  int // in Backend.Servers
	Stats  *stats.Counters
	Flows  stats.Gauge      // flows that hold a slot
	Waited *stats.Histogram // microseconds that granted flows waited

	// OnHasten is told when the next check of the server should come within d, because flows saw it fail ("observe"). Set it
	// before the backend is used; it is called under the backend's lock, and must neither call back nor block.
	OnHasten func(d time.Duration)

	backend   *Backend
	group     *group
	index     int // in its group
	slots     *queue.Server
	minConn   int64
	follows   bool // minconn below maxconn: the limit follows the backend's load
	maxQueue  int  // 0: no limit
	slowStart time.Duration
	stepDue   bool // slow start's next step is scheduled; guarded by the backend's mu

	// Changed under the backend's mu, read by every choice.
	maxConn     atomic.Int64 // queue.Unlimited: no limit
	weight      atomic.Int32 // 0..256
	maintenance atomic.Bool
	toldLimit   atomic.Int64 // the dynamic limit of which the algorithm was last told
	rising      atomic.Int64 // when slow start began, on the backend's clock; 0: it is over
}

func newServer(b *Backend, c *config.Server, index, loops int) *Server {
	s := &Server{
		Name: c.Name, ID: c.ID, Index: index, Stats: stats.New(loops), Waited: stats.NewHistogram(loops),
		backend: b, minConn: int64(c.MinConn), maxQueue: c.MaxQueue, slowStart: c.SlowStart,
	}
	s.maxConn.Store(queue.Unlimited)
	if c.MaxConn > 0 {
		s.maxConn.Store(int64(c.MaxConn))
	}
	s.weight.Store(int32(c.Weight))
	s.maintenance.Store(c.Disabled)
	s.follows = s.minConn > 0 && s.minConn < s.maxConn.Load() && b.fullConn > 0
	var dynamic func() int64
	if s.follows || s.slowStart > 0 {
		dynamic = s.dynamicLimit
	}
	s.slots = b.pool.NewServer(nil, s.maxConn.Load(), dynamic)
	s.slots.Data = s
	return s
}

func (s *Server) changed() { s.group.algorithm.Changed(s.index) }

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

// risen is how far slow start has come, in percent; 100 when it is over.
func (s *Server) risen() int {
	began := time.Duration(s.rising.Load())
	if began == 0 {
		return 100
	}
	return int(min((s.backend.clock.now()-began)*100/s.slowStart, 100))
}

// effectiveWeight is what the algorithm balances with: zero takes the server out.
func (s *Server) effectiveWeight() int {
	weight := int(s.weight.Load())
	if s.maintenance.Load() {
		return 0
	}
	if weight > 0 && !s.group.static {
		weight = max(1, weight*s.risen()/100)
	}
	return weight
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

// InMaintenance tells whether the server is out of service by configuration or by the operator.
func (s *Server) InMaintenance() bool { return s.maintenance.Load() }

// SetWeight changes the weight, 0 to 256, for the flows to come. At 0 only the flows that are there stay.
func (s *Server) SetWeight(weight int) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	s.weight.Store(int32(weight))
	s.stateChanged()
}

// SetMaintenance takes the server out of service or puts it back; requests that wait for it alone are sent back to ask
// again. A server that comes back begins with slow start, if it has one.
func (s *Server) SetMaintenance(out bool) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	if s.maintenance.Swap(out) && !out && s.slowStart > 0 {
		s.rising.Store(max(int64(s.backend.clock.now()), 1))
		s.scheduleRise()
	}
	s.stateChanged()
}

// SetMaxConn changes the limit; zero lifts it. Waiters get the slots that are new at once; flows above a lowered limit are
// let finish.
func (s *Server) SetMaxConn(n int) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	limit := int64(n)
	if n <= 0 {
		limit = queue.Unlimited
	}
	s.maxConn.Store(limit)
	s.slots.SetLimit(anyLoop, limit)
	s.changed()
}

// stateChanged tells the algorithm and the queue. Called under the backend's mu.
func (s *Server) stateChanged() {
	s.group.algorithm.SetWeight(s.index, s.effectiveWeight())
	s.changed()
	s.backend.refresh()
}

// riseSteps is in how many steps slow start raises weight and limit.
const riseSteps = 20

// scheduleRise takes the next step of slow start when it is due. Called under the backend's mu.
func (s *Server) scheduleRise() {
	if s.stepDue { // the server went away and came back before its last slow start was over
		return
	}
	s.stepDue = true
	s.backend.clock.after(max(s.slowStart/riseSteps, time.Millisecond), func() {
		s.backend.mu.Lock()
		defer s.backend.mu.Unlock()
		s.stepDue = false
		if s.rising.Load() == 0 || s.maintenance.Load() {
			s.rising.Store(0)
			return
		}
		if s.risen() >= 100 {
			s.rising.Store(0)
		} else {
			s.scheduleRise()
		}
		s.stateChanged() // opens it again, which gives waiters what the limit has gained
	})
}
