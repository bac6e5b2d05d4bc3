package queue

import "fmt"

// world is a pool with the flows that use it, and a book of what they were told. Its operations may be called by several
// goroutines, each flow by one at a time.
type world struct {
	pool    *Pool
	servers []*Server
	flows   []*flow
	// lowered: servers may serve more than their limits are now, but not more than they were first, which is in limits.
	lowered bool
	limits  []int64
	// settle, if it is set, delivers what was told to flows by mail.
	settle func()
}

// state is what a flow is doing.
type state uint8

const (
	idle state = iota
	waiting
	holding
	cancelled
	turnedAway // sent back, or told that the server is closed
)

// flow is one that wants slots. Its book is written by whoever decides its outcome.
type flow struct {
	Waiter
	state  state
	server *Server // whose slot it holds
	told   bool    // of the outcome of its last wait
	wrong  string  // a second outcome

	waits, tries, grants, sentBack, cancels uint64
}

// outcome is written once for each wait.
func (f *flow) outcome(s state, server *Server) {
	if f.state != waiting || f.told {
		f.wrong = fmt.Sprintf("outcome %d for a flow in state %d", s, f.state)
	}
	f.state, f.server, f.told = s, server, true
}

func (f *flow) Granted(s *Server) { step(Store, f); f.grants++; f.outcome(holding, s) }

func (f *flow) SentBack() { step(Store, f); f.sentBack++; f.outcome(turnedAway, nil) }

// newWorld makes a pool of two stripes, with open servers of the given limits.
func newWorld(limits ...int64) *world { return newWorldOf(2, limits...) }

func newWorldOf(stripes int, limits ...int64) *world {
	w := &world{pool: NewPool(stripes), limits: limits}
	for _, limit := range limits {
		s := w.pool.NewServer(nil, limit, nil)
		s.Open(0)
		w.servers = append(w.servers, s)
	}
	return w
}

// flow adds a flow with a key.
func (w *world) flow(key Key) *flow {
	f := &flow{}
	f.Key, f.Owner = key, f
	w.flows = append(w.flows, f)
	return f
}

// holder adds a flow that has a slot of s.
func (w *world) holder(s *Server) *flow {
	f := w.flow(0)
	if !w.admit(f, s) {
		panic("no slot for a holder")
	}
	return f
}

func (w *world) admit(f *flow, s *Server) bool {
	if !s.Admit() {
		return false
	}
	f.state, f.server = holding, s
	return true
}

func (w *world) wait(f *flow, loop int, bound *Server) Outcome {
	f.state, f.told = waiting, false
	f.waits++
	outcome, s := w.pool.Wait(loop, &f.Waiter, bound)
	switch outcome {
	case TryAgain:
		f.tries++
		f.outcome(holding, s)
	case Closed:
		f.sentBack++
		f.outcome(turnedAway, nil)
	}
	return outcome
}

func (w *world) cancel(f *flow) bool {
	if !w.pool.Cancel(&f.Waiter) {
		return false
	}
	f.cancels++
	f.outcome(cancelled, nil)
	return true
}

func (w *world) release(f *flow, loop int) {
	s := f.server
	f.state, f.server = idle, nil
	s.Release(loop)
}

// always is what holds at every step.
func (w *world) always() error {
	for i, s := range w.servers {
		limit := s.limit.Load()
		if w.lowered {
			limit = w.limits[i]
		}
		if s.Served() < 0 || s.Served() > limit {
			return fmt.Errorf("server %d serves %d, its limit is %d", i+1, s.Served(), limit)
		}
	}
	return nil
}

// quiet is what holds when no operation is under way.
func (w *world) quiet() error {
	held := map[*Server]int64{}
	queued := map[*level]int64{}
	for i, f := range w.flows {
		if f.wrong != "" {
			return fmt.Errorf("flow %d: %s", i+1, f.wrong)
		}
		over := f.tries + f.grants + f.sentBack + f.cancels
		switch f.state {
		case holding:
			held[f.server]++
		case waiting:
			over++
			queued[f.level()]++
			if f.index < 0 || f.index >= len(f.stripe.heap) || f.stripe.heap[f.index] != &f.Waiter {
				return fmt.Errorf("flow %d was lost: it waits for an outcome, and is in no queue", i+1)
			}
			if s := f.Waiter.server; s != nil && !s.IsOpen() {
				return fmt.Errorf("flow %d is stranded: it waits for a server that is closed", i+1)
			}
			for j, s := range w.servers {
				if (f.Waiter.server == nil || f.Waiter.server == s) && s.IsOpen() && !s.Full() {
					return fmt.Errorf("flow %d is stranded: it waits while server %d is open and serves %d of %d",
						i+1, j+1, s.Served(), s.Limit())
				}
			}
		}
		if over != f.waits {
			return fmt.Errorf("flow %d had %d outcomes of %d waits", i+1, over, f.waits)
		}
	}
	if err := w.pool.consistent(queued); err != nil {
		return fmt.Errorf("the pool: %w", err)
	}
	for i, s := range w.servers {
		if s.Served() != held[s] {
			return fmt.Errorf("server %d serves %d, and %d flows hold a slot", i+1, s.Served(), held[s])
		}
		if err := s.consistent(queued); err != nil {
			return fmt.Errorf("server %d: %w", i+1, err)
		}
	}
	return w.counted()
}

// consistent compares a level with the number that waits there.
func (l *level) consistent(queued map[*level]int64) error {
	n := int64(0)
	for i := range l.stripes {
		st := &l.stripes[i]
		n += int64(len(st.heap))
		head := none
		if len(st.heap) > 0 {
			head = st.heap[0].Key
		}
		if st.key() != head {
			return fmt.Errorf("stripe %d shows head %d, it is %d", i, st.key(), head)
		}
		for j := 1; j < len(st.heap); j++ {
			if st.less(j, (j-1)/2) {
				return fmt.Errorf("stripe %d is no heap", i)
			}
		}
	}
	if n != queued[l] || l.waiting.Load() != n {
		return fmt.Errorf("%d wait, %d are queued, %d are counted", queued[l], n, l.waiting.Load())
	}
	return nil
}

// counted compares the counters with the flows' books.
func (w *world) counted() error {
	var c Counts
	add := func(o Counts) {
		c.LookedAgain += o.LookedAgain
		c.AtRisk += o.AtRisk
		c.Requeued += o.Requeued
		c.Direct += o.Direct
		c.SentBack += o.SentBack
	}
	add(w.pool.Counts())
	for _, s := range w.servers {
		add(s.Counts())
	}
	want := Counts{AtRisk: c.AtRisk}
	for _, f := range w.flows {
		want.LookedAgain += f.waits
		want.Requeued += f.tries
		want.Direct += f.grants
		want.SentBack += f.sentBack
	}
	if w.pool.NoRecheck {
		want.LookedAgain = 0
	}
	if c != want || c.AtRisk > c.LookedAgain || c.AtRisk < c.Requeued {
		return fmt.Errorf("counted %+v, happened %+v", c, want)
	}
	return nil
}

// drain lets all end: every holder releases, until nobody waits who could be served. It tells whom it saw granted, in order.
func (w *world) drain() (order []*flow, err error) {
	for {
		var held *flow
		for _, f := range w.flows {
			if f.state == holding {
				held = f
				break
			}
		}
		if held == nil {
			break
		}
		before := map[*flow]bool{}
		for _, f := range w.flows {
			before[f] = f.state == waiting
		}
		w.release(held, 0)
		if w.settle != nil {
			w.settle()
		}
		for _, f := range w.flows {
			if before[f] && f.state == holding {
				order = append(order, f)
			}
		}
		if err := w.quiet(); err != nil {
			return order, fmt.Errorf("while draining: %w", err)
		}
	}
	for i, s := range w.servers {
		if s.Served() != 0 {
			return order, fmt.Errorf("server %d still serves %d", i+1, s.Served())
		}
	}
	return order, nil
}
