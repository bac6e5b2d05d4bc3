package queue

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// mailbox passes what flows are told to the goroutine that owns them.
type mailbox struct {
	mu   sync.Mutex
	mail []func()
}

func (m *mailbox) put(f func()) { m.mu.Lock(); m.mail = append(m.mail, f); m.mu.Unlock() }

func (m *mailbox) deliver() {
	m.mu.Lock()
	mail := m.mail
	m.mail = nil
	m.mu.Unlock()
	for _, f := range mail {
		f()
	}
}

// mailed is the owner of a flow's waiter that passes the word on.
type mailed struct {
	*flow
	box *mailbox
}

func (m mailed) Granted(s *Server) { m.box.put(func() { m.flow.Granted(s) }) }
func (m mailed) SentBack()         { m.box.put(func() { m.flow.SentBack() }) }

// stress lets eight loops do everything at once, at both levels of two servers, and stops after each round to see that all
// is as it should be.
type stress struct {
	*world
	boxes []mailbox
	// steady leaves limits and servers as they are, and lets all flows end in each round: while many are under way, the next
	// release heals what the last one did wrong.
	steady bool
}

const (
	stressLoops  = 8
	flowsOfLoop  = 5
	highestLimit = 3
)

func newStress(limits ...int64) *stress {
	s := &stress{world: newWorldOf(stressLoops, limits...), boxes: make([]mailbox, stressLoops)}
	s.lowered = true
	for i := range stressLoops * flowsOfLoop {
		f := s.flow(0)
		f.Owner = mailed{f, &s.boxes[i/flowsOfLoop]}
	}
	s.settle = func() {
		for i := range s.boxes {
			s.boxes[i].deliver()
		}
	}
	return s
}

func (s *stress) round(round, operations int) error {
	var over atomic.Pointer[error]
	var wg sync.WaitGroup
	for loop := range stressLoops {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(round), uint64(loop)))
			for range operations {
				s.boxes[loop].deliver()
				s.anything(random, loop, s.flows[loop*flowsOfLoop+random.IntN(flowsOfLoop)])
				if err := s.always(); err != nil {
					over.Store(&err)
				}
			}
			if s.steady {
				s.leave(loop)
			}
		})
	}
	wg.Wait()
	if err := over.Load(); err != nil {
		return *err
	}
	s.settle()
	return s.quiet()
}

// leave lets the loop's flows end; those that nobody serves are left after a while.
func (s *stress) leave(loop int) {
	for range 300 {
		s.boxes[loop].deliver()
		busy := false
		for _, f := range s.flows[loop*flowsOfLoop:][:flowsOfLoop] {
			if f.state == holding {
				s.release(f, loop)
			}
			busy = busy || f.state == waiting
		}
		if !busy {
			return
		}
		runtime.Gosched()
	}
}

// TestStress runs with the race detector, and with the tag queuestep, which yields at random between atomic steps.
func TestStress(t *testing.T) {
	rounds, operations := 150, 400
	if testing.Short() {
		rounds = 20
	}
	yieldAtRandom(t)
	w := newStress(highestLimit, highestLimit)
	for round := range rounds {
		if err := w.round(round, operations); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	for _, s := range w.servers {
		s.SetLimit(0, 1)
		s.Open(0)
	}
	w.settle()
	if err := w.quiet(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.drain(); err != nil {
		t.Fatal(err)
	}
	t.Logf("for any: %+v", w.pool.Counts())
	for i, s := range w.servers {
		if s.Waiting() != 0 {
			t.Errorf("%d wait for server %d after all is done", s.Waiting(), i+1)
		}
		t.Logf("for server %d: %+v", i+1, s.Counts())
	}
	if c := w.pool.Counts(); c.Direct == 0 || c.Requeued == 0 || w.servers[0].Counts().SentBack == 0 {
		t.Error("not everything was tried")
	}
}

// anything does one random operation, mostly with flow f.
func (w *stress) anything(random *rand.Rand, loop int, f *flow) {
	s := w.servers[random.IntN(len(w.servers))]
	what := 200
	if !w.steady {
		what = random.IntN(what)
	}
	switch what {
	case 0, 1:
		s.SetLimit(loop, random.Int64N(highestLimit+1))
		return
	case 2:
		s.Close(loop)
		return
	case 3, 4, 5, 6, 7, 8:
		s.Open(loop)
		return
	}
	switch f.state {
	case holding:
		w.release(f, loop)
	case waiting:
		if random.IntN(8) == 0 {
			w.cancel(f)
		}
	default:
		f.Key = MakeKey(random.IntN(3)-1, random.Int64N(20), 0)
		if random.IntN(2) == 0 && w.admit(f, s) {
			return
		}
		if random.IntN(2) == 0 {
			s = nil
		}
		w.wait(f, loop, s)
	}
}

// TestMillions runs eight loops against one slot: none of the admissions may be lost, none be over the limit, none come twice.
// Half of them with flows always waiting, so that slots go from hand to hand, half with hardly any, so that flows queue while
// the slot becomes free. Five million in the plain build; one million with random yields, in which the recheck finds one
// waiter in five at risk (without yields, on two cores, a handful at most); 100,000 with the race detector or -short.
func TestMillions(t *testing.T) {
	admissions := 5_000_000
	switch {
	case raceDetector || testing.Short():
		admissions = 100_000
	case stepped:
		admissions = 1_000_000
	}
	yieldAtRandom(t)
	t.Run("crowded", func(t *testing.T) { oneSlot(t, admissions/2, 4, 0) })
	t.Run("sparse", func(t *testing.T) { oneSlot(t, admissions/2, 1, 400) })
}

// paddedCount is one loop's, on a cache line of its own.
type paddedCount struct {
	n atomic.Int64
	_ [56]byte
}

// admission is one flow of oneSlot.
type admission struct {
	Waiter
	told chan<- *admission
}

func (a *admission) Granted(*Server) { a.told <- a }
func (a *admission) SentBack()       { panic("sent back from an open server") }

// oneSlot makes the admissions; pause is how many turns of an empty loop a goroutine makes at most between two.
func oneSlot(t *testing.T, admissions, flowsOfLoop, pause int) {
	const loops = 8
	p := NewPool(loops)
	s := p.NewServer(nil, 1, nil)
	s.Open(0)
	inside := 0 // guarded by the slot: the race detector sees if it is not
	served := make([]paddedCount, loops)
	over := make(chan int, loops*flowsOfLoop)
	serve := func(loop int) {
		inside++
		if inside != 1 {
			select {
			case over <- inside:
			default:
			}
		}
		served[loop].n.Add(1)
		inside--
		s.Release(loop)
	}
	var wg sync.WaitGroup
	for loop := range loops {
		wg.Go(func() {
			told := make(chan *admission, flowsOfLoop)
			idle := make([]*admission, flowsOfLoop)
			for i := range idle {
				idle[i] = &admission{told: told}
				idle[i].Owner = idle[i]
			}
			random, waiting := rand.New(rand.NewPCG(1, uint64(loop))), 0
			for begun := 0; begun < admissions/loops || waiting > 0; {
				for len(idle) > 0 && begun < admissions/loops {
					a := idle[len(idle)-1]
					begun++
					a.Key = Key(begun)
					if pause > 0 {
						for range random.IntN(pause) {
						}
					}
					if !s.Admit() {
						if outcome, _ := p.Wait(loop, &a.Waiter, nil); outcome == Waiting {
							idle = idle[:len(idle)-1]
							waiting++
							continue
						}
					}
					serve(loop)
				}
				if waiting > 0 {
					a := <-told
					waiting--
					idle = append(idle, a)
					serve(loop)
				}
			}
		})
	}
	total := func() (n int) {
		for i := range served {
			n += int(served[i].n.Load())
		}
		return n
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	start := time.Now()
	for before, running := -1, true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(10 * time.Second):
			if n := total(); n == before {
				t.Fatalf("stuck after %d of %d: %d wait, %d are served", n, admissions, p.Waiting(), s.Served())
			} else {
				before = n
			}
		}
	}
	if n := total(); n != admissions/loops*loops || len(over) > 0 || s.Served() != 0 || p.Waiting() != 0 {
		t.Errorf("%d of %d were served, %d times more than one; at the end %d hold a slot and %d wait",
			n, admissions, len(over), s.Served(), p.Waiting())
	}
	t.Logf("%d in %v, %+v, up to %d waiting", total(), time.Since(start).Round(time.Millisecond), p.Counts(), p.Highest())
}
