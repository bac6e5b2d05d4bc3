package queue

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
)

// Histories of the real code are compared with what the package doc promises, written down as a sequential object (spec).
// An operation takes effect at one moment between its call and its return, as linearizability wants it. A grant is an
// operation of its own, between the call of the wait and the moment at which the owner is told.
//
// Three answers are not strict by the doc, and the spec is as loose as the doc there and no looser:
//
//   - "No" to a newcomer, or "Waiting", may be an effect of somebody else's operation under way (a slot claimed for a waiter
//     who is gone, a newcomer being queued). While nothing else is under way it has to be true. TestHistoriesOfSlots
//     shows that without waiters "no" is strict.
//   - Who gets a slot while its server is being closed or its limit lowered may get it by what held before.
//   - Which waiter is served is checked by the order test, not here.

// operation is what porcupine sees.
type operation struct {
	kind   kind
	id     int // of the wait
	server int // -1: any
	value  int // of a limit

	// By what else was under way meanwhile.
	alone, besideClose, besideLower bool
}

type kind uint8

const (
	admit kind = iota
	queueUp
	granted
	sentAway
	cancel
	release
	limit
	open
	shut
	rest // all is quiet
)

// serving is the server whose slot the operation may give.
func (op operation) serving(a answer) int {
	if op.kind == granted || op.kind == queueUp {
		return a.server
	}
	return op.server
}

// answer is what came of it.
type answer struct {
	ok      bool // admit, cancel
	outcome Outcome
	server  int
}

// spec is the state of the sequential object.
type spec struct {
	served, limit [2]int8
	open          [2]bool
	queued        uint64 // by id
}

// model is the object; bounds tells to which server each wait is bound.
func model(limits [2]int8, bounds []int, strict bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return spec{limit: limits, open: [2]bool{true, true}} },
		Step: func(state, input, output any) (bool, any) {
			next, op, a := state.(spec), input.(operation), output.(answer)
			ok := next.step(op, a, bounds, strict)
			return ok, next
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
	}
}

func (s *spec) mayServe(server int) bool { return s.open[server] && s.served[server] < s.limit[server] }

// serve gives a slot, if the promise allows it.
func (s *spec) serve(op operation, server int) bool {
	ok := (s.open[server] || op.besideClose) && (s.served[server] < s.limit[server] || op.besideLower)
	s.served[server]++
	return ok
}

// waitedFor tells whether somebody waits who may be given the server.
func (s *spec) waitedFor(server int, bounds []int) bool {
	for id, bound := range bounds {
		if s.queued&(1<<id) != 0 && (bound < 0 || bound == server) {
			return true
		}
	}
	return false
}

// stranded tells whether somebody waits for a server that is free, or for one that is closed.
func (s *spec) stranded(bounds []int) bool {
	for id, bound := range bounds {
		if s.queued&(1<<id) != 0 && bound >= 0 && !s.open[bound] {
			return true
		}
	}
	for server := range s.open {
		if s.mayServe(server) && s.waitedFor(server, bounds) {
			return true
		}
	}
	return false
}

func (s *spec) take(id int) bool {
	was := s.queued&(1<<id) != 0
	s.queued &^= 1 << id
	return was
}

func (s *spec) step(op operation, a answer, bounds []int, strict bool) bool {
	switch op.kind {
	case admit:
		if a.ok {
			barges := op.alone && s.waitedFor(op.server, bounds)
			return s.serve(op, op.server) && !barges
		}
		return !op.alone && !strict || !s.mayServe(op.server) || s.waitedFor(op.server, bounds)
	case queueUp:
		switch a.outcome {
		case TryAgain:
			return s.serve(op, a.server)
		case Closed:
			return !s.open[op.server]
		}
		s.queued |= 1 << op.id
		return !op.alone || !s.stranded(bounds)
	case granted:
		return s.take(op.id) && (bounds[op.id] < 0 || bounds[op.id] == a.server) && s.serve(op, a.server)
	case sentAway:
		return s.take(op.id) && bounds[op.id] >= 0
	case cancel:
		return s.take(op.id) == a.ok
	case release:
		s.served[op.server]--
		return s.served[op.server] >= 0
	case limit:
		s.limit[op.server] = int8(op.value)
	case open:
		s.open[op.server] = true
	case shut:
		s.open[op.server] = false
	case rest:
		return !s.stranded(bounds)
	}
	return true
}

// recorder writes a history.
type recorder struct {
	*world
	clock atomic.Int64

	mu     sync.Mutex
	ops    []porcupine.Operation
	bounds []int
}

// do records one operation of a client.
func (r *recorder) do(client int, op operation, what func() answer) answer {
	call := r.clock.Add(1)
	a := what()
	r.add(client, op, call, a)
	return a
}

func (r *recorder) add(client int, op operation, call int64, a answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, porcupine.Operation{ClientId: client, Input: op, Call: call, Output: a, Return: r.clock.Add(1)})
}

// user is a flow of a client, as owner of its waiter.
type user struct {
	*flow
	r      *recorder
	box    mailbox
	client int
	id     int
	called int64 // its wait
}

func (u *user) Granted(s *Server) {
	u.r.add(u.client, operation{kind: granted, id: u.id}, u.called, answer{server: u.r.index(s)})
	u.box.put(func() { u.flow.Granted(s) })
}

func (u *user) SentBack() {
	u.r.add(u.client, operation{kind: sentAway, id: u.id}, u.called, answer{})
	u.box.put(func() { u.flow.SentBack() })
}

func (r *recorder) index(s *Server) int {
	for i := range r.servers {
		if r.servers[i] == s {
			return i
		}
	}
	return -1
}

// random does one operation for u.
func (r *recorder) random(random *rand.Rand, u *user, changes bool) {
	u.box.deliver()
	at := random.IntN(2)
	s := r.servers[at]
	what := 100
	if changes {
		what = random.IntN(what)
	}
	switch {
	case what < 6:
		n := random.IntN(3)
		r.do(u.client, operation{kind: limit, server: at, value: n}, func() answer { s.SetLimit(u.client, int64(n)); return answer{} })
	case what < 10:
		r.do(u.client, operation{kind: shut, server: at}, func() answer { s.Close(u.client); return answer{} })
	case what < 18:
		r.do(u.client, operation{kind: open, server: at}, func() answer { s.Open(u.client); return answer{} })
	case u.state == holding:
		held := r.index(u.server)
		r.do(u.client, operation{kind: release, server: held}, func() answer { r.release(u.flow, u.client); return answer{} })
	case u.state == waiting:
		if random.IntN(3) == 0 {
			r.do(u.client, operation{kind: cancel, id: u.id}, func() answer { return answer{ok: r.cancel(u.flow)} })
		}
	default:
		a := r.do(u.client, operation{kind: admit, server: at}, func() answer { return answer{ok: r.admit(u.flow, s)} })
		if a.ok {
			return
		}
		bound, to := at, s
		if random.IntN(2) == 0 {
			bound, to = -1, nil
		}
		r.mu.Lock()
		u.id = len(r.bounds)
		r.bounds = append(r.bounds, bound)
		r.mu.Unlock()
		u.called = r.clock.Add(1)
		r.do(u.client, operation{kind: queueUp, id: u.id, server: bound}, func() answer {
			outcome := r.wait(u.flow, u.client, to)
			if outcome == TryAgain {
				return answer{outcome: outcome, server: r.index(u.server)}
			}
			return answer{outcome: outcome}
		})
	}
}

// record makes a history of four clients with two flows each.
func record(seed uint64, limits [2]int8, operations int, changes, noRecheck bool) *recorder {
	const clients = 4
	r := &recorder{world: newWorldOf(clients, int64(limits[0]), int64(limits[1]))}
	r.pool.NoRecheck = noRecheck
	users := make([]*user, 2*clients)
	for i := range users {
		users[i] = &user{flow: r.flow(Key(i)), r: r, client: i / 2}
		users[i].Owner = users[i]
	}
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(c)))
			for i := range operations {
				r.random(random, users[2*c+i%2], changes)
				runtime.Gosched()
			}
		})
	}
	wg.Wait()
	r.settle = func() {
		for _, u := range users {
			u.box.deliver()
		}
	}
	r.settle()
	r.do(clients, operation{kind: rest}, func() answer { return answer{} })
	r.relate()
	return r
}

// relate notes what was under way beside each operation. A grant is made by an operation that is under way when the owner is
// told, and may go by what that one saw since its call.
func (r *recorder) relate() {
	real := func(o porcupine.Operation) bool {
		k := o.Input.(operation).kind
		return k != granted && k != sentAway
	}
	for i := range r.ops {
		o := &r.ops[i]
		in := o.Input.(operation)
		since := o.Call
		if !real(*o) {
			since = o.Return
			for _, p := range r.ops {
				if real(p) && p.Call < o.Return && p.Return > o.Return {
					since = min(since, p.Call)
				}
			}
		}
		in.alone = true
		for j, p := range r.ops {
			if j == i || !real(p) || p.Return < since || p.Call > o.Return {
				continue
			}
			in.alone = false
			other := p.Input.(operation)
			if other.server == in.serving(o.Output.(answer)) {
				in.besideClose = in.besideClose || other.kind == shut
				in.besideLower = in.besideLower || other.kind == limit
			}
		}
		o.Input = in
	}
}

func (r *recorder) fits(limits [2]int8, strict bool) bool {
	return porcupine.CheckOperations(model(limits, r.bounds, strict), r.ops)
}

func histories() uint64 {
	if raceDetector || testing.Short() {
		return 100
	}
	return 1000
}

// TestHistories compares histories with two levels, two servers, cancellations, and in half of them changes of limits and
// closing, with the spec.
func TestHistories(t *testing.T) {
	yieldAtRandom(t)
	operations, waits := 0, 0
	for seed := range histories() {
		limits := [2]int8{1, int8(1 + seed%2)}
		r := record(seed, limits, 12, seed%2 == 0, false)
		operations, waits = operations+len(r.ops), waits+len(r.bounds)
		if err := r.quiet(); err != nil {
			t.Fatalf("history %d: %v", seed, err)
		}
		if !r.fits(limits, false) {
			for _, o := range r.ops {
				t.Logf("%d-%d by %d: %+v -> %+v", o.Call, o.Return, o.ClientId, o.Input, o.Output)
			}
			t.Fatalf("history %d does not fit; waits are bound to %v", seed, r.bounds)
		}
	}
	t.Logf("%d histories, %d operations, %d waits", histories(), operations, waits)
}

// TestHistoriesOfSlots: as long as nobody waits, admission and release are linearizable in the strict sense, refusals too.
func TestHistoriesOfSlots(t *testing.T) {
	yieldAtRandom(t)
	for seed := range histories() {
		limits := [2]int8{2, 2}
		r := &recorder{world: newWorldOf(4, 2, 2)}
		var wg sync.WaitGroup
		for c := range 4 {
			f := r.flow(0)
			wg.Go(func() {
				random := rand.New(rand.NewPCG(seed, uint64(c)))
				for range 15 {
					if f.state == holding {
						at := r.index(f.server)
						r.do(c, operation{kind: release, server: at}, func() answer { r.release(f, c); return answer{} })
					} else {
						at := random.IntN(2)
						r.do(c, operation{kind: admit, server: at}, func() answer { return answer{ok: r.admit(f, r.servers[at])} })
					}
					runtime.Gosched()
				}
			})
		}
		wg.Wait()
		if !r.fits(limits, true) {
			t.Fatalf("history %d does not fit", seed)
		}
	}
}

// TestSpecRefuses shows what the spec does not let pass.
func TestSpecRefuses(t *testing.T) {
	yes, none, bound := answer{ok: true}, []int{}, []int{-1, 1}
	type history []struct {
		operation
		answer
	}
	waits := func(id, server int) operation { return operation{kind: queueUp, id: id, server: server} }
	for _, c := range []struct {
		name   string
		bounds []int
		ops    history
		fits   bool
	}{
		{"in and out", none, history{{operation{kind: admit}, yes}, {operation{kind: release}, answer{}}, {operation{kind: admit}, yes}}, true},
		{"two in one slot", none, history{{operation{kind: admit}, yes}, {operation{kind: admit}, yes}}, false},
		{"one too many by a grant", bound, history{{operation{kind: admit}, yes}, {waits(0, -1), answer{}}, {operation{kind: granted}, answer{}}}, false},
		{"refused by an idle server", none, history{{operation{kind: admit, alone: true}, answer{}}}, false},
		{"barging", bound, history{{operation{kind: shut}, answer{}}, {waits(0, -1), answer{}}, {operation{kind: open}, answer{}},
			{operation{kind: admit, alone: true}, yes}}, false},
		{"a grant out of nowhere", bound, history{{operation{kind: granted}, answer{}}}, false},
		{"two grants for one wait", bound, history{{waits(0, -1), answer{}}, {operation{kind: granted}, answer{}},
			{operation{kind: granted}, answer{server: 1}}}, false},
		{"granted and cancelled", bound, history{{waits(0, -1), answer{}}, {operation{kind: granted}, answer{}},
			{operation{kind: cancel}, yes}}, false},
		{"neither granted nor cancelled", bound, history{{waits(0, -1), answer{}}, {operation{kind: cancel}, answer{}}}, false},
		{"granted by the wrong server", bound, history{{waits(1, 1), answer{}}, {operation{kind: granted, id: 1}, answer{}}}, false},
		{"granted by a closed server", bound, history{{waits(1, 1), answer{}}, {operation{kind: shut, server: 1}, answer{}},
			{operation{kind: granted, id: 1}, answer{server: 1}}}, false},
		{"stranded", bound, history{{waits(0, -1), answer{}}, {operation{kind: rest}, answer{}}}, false},
		{"stranded at a closed server", bound, history{{waits(1, 1), answer{}}, {operation{kind: shut, server: 1}, answer{}},
			{operation{kind: rest}, answer{}}}, false},
		{"released twice", none, history{{operation{kind: admit}, yes}, {operation{kind: release}, answer{}},
			{operation{kind: release}, answer{}}}, false},
	} {
		var ops []porcupine.Operation
		for i, o := range c.ops {
			ops = append(ops, porcupine.Operation{Input: o.operation, Output: o.answer, Call: int64(2 * i), Return: int64(2*i + 1)})
		}
		if got := porcupine.CheckOperations(model([2]int8{1, 1}, c.bounds, false), ops); got != c.fits {
			t.Errorf("%s: fits: %v", c.name, got)
		}
	}
}
