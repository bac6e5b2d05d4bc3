package backend

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// mailed is a flow of a loop that hears of its grant as a real one does: through its mailbox.
type mailed struct {
	Request
	told chan struct{}
}

func (m *mailed) Granted() { m.told <- struct{}{} }

// Eight loops admit, wait, give up, redispatch and release while an operator changes limits, weights and states. No server
// ever serves more than the highest limit that it had; nobody is stranded; and at the end nothing is left.
func TestStress(t *testing.T) {
	const loops, flows = 8, 600
	for _, a := range []config.Algorithm{config.RoundRobin, config.LeastConn, config.SourceHash} {
		t.Run(fmt.Sprint(a), func(t *testing.T) {
			p := proxy(a, server("a", 1, maxQueue(3)), server("b", 2), server("c", 3, minConn(1)), server("x", 2, asBackup), server("y", 2, asBackup))
			b, err := New(p, 20, loops)
			if err != nil {
				t.Fatal(err)
			}
			highest := []int64{3, 2, 3, 2, 2}
			var inside [5]atomic.Int64
			var granted, cancelled, refused atomic.Int64
			var wg sync.WaitGroup
			for loop := range loops {
				wg.Go(func() {
					random := rand.New(rand.NewPCG(uint64(loop), 1))
					m := &mailed{told: make(chan struct{}, 1)}
					m.Waiter, m.Loop = m, loop
					for i := range flows {
						m.Now, m.Source = time.Duration(i), netip.AddrFrom4([4]byte{192, 0, 2, byte(random.Uint32())})
						outcome := b.Admit(&m.Request)
						for outcome == Waiting {
							if random.IntN(8) == 0 {
								runtime.Gosched()
								if b.Cancel(&m.Request) {
									cancelled.Add(1)
									outcome = NoServer
									break
								}
								<-m.told // the grant was on its way
							} else {
								select {
								case <-m.told:
								case <-time.After(20 * time.Second):
									t.Error("stranded")
									return
								}
							}
							if outcome = Granted; m.Server == nil {
								outcome = b.Retry(&m.Request)
							}
						}
						if outcome == Granted {
							granted.Add(1)
							at := m.Server.ID - 1
							if n := inside[at].Add(1); n > highest[at] {
								t.Errorf("%s serves %d", m.Server.Name, n)
							}
							if random.IntN(2) == 0 {
								runtime.Gosched()
							}
							inside[at].Add(-1)
						} else {
							refused.Add(1)
						}
						b.Release(&m.Request)
					}
				})
			}
			done := make(chan struct{})
			var operator sync.WaitGroup
			operator.Go(func() {
				random := rand.New(rand.NewPCG(99, 1))
				for n := 0; ; n++ {
					select {
					case <-done:
						return
					default:
					}
					s := b.Servers()[1+random.IntN(4)] // a stays, so that who waits is served
					switch random.IntN(4) {
					case 0:
						b.Servers()[0].SetMaxConn(1 + random.IntN(3))
					case 1:
						s.SetWeight(random.IntN(3))
					default:
						s.SetMaintenance(random.IntN(2) == 0)
					}
					runtime.Gosched()
				}
			})
			wg.Wait()
			close(done)
			operator.Wait()
			(&farm{Backend: b, t: t}).quiet()
			if n := granted.Load() + cancelled.Load(); n != loops*flows || refused.Load() != cancelled.Load() {
				t.Errorf("%d granted, %d cancelled, %d refused", granted.Load(), cancelled.Load(), refused.Load())
			}
			if b.Stats.Sum(stats.NoServer) != 0 {
				t.Error("no server was found though one was there all the time")
			}
			t.Logf("%d granted, %d cancelled; the backend's queue: %+v", granted.Load(), cancelled.Load(), b.QueueCounts())
		})
	}
}

// What a flow costs the backend when it is admitted at once, and when it waits.
func TestAllocatesNothing(t *testing.T) {
	for _, a := range algorithms {
		f := newFarm(t, a.proxy(server("a", 1), server("b", 1)))
		x, y, z := f.admit("x"), f.admit("y"), f.admit("z")
		f.release(x, y, z)
		for _, test := range []struct {
			name string
			run  func()
		}{
			{"admitted at once", func() { f.Admit(&x.Request); f.release(x) }},
			{"redispatched", func() { f.Admit(&x.Request); f.Redispatch(&x.Request); f.release(x) }},
			{"queued and granted", func() {
				for _, c := range []*caller{x, y, z} {
					f.Admit(&c.Request)
				}
				f.release(x, y, z)
				f.order = f.order[:0]
			}},
			{"queued and cancelled", func() {
				for _, c := range []*caller{x, y, z} {
					f.Admit(&c.Request)
				}
				if f.Cancel(&z.Request) {
					f.release(z)
				}
				f.release(x, y)
				f.order = f.order[:0]
			}},
		} {
			if n := testing.AllocsPerRun(200, test.run); n != 0 {
				t.Errorf("%s, %s: %.1f allocations", a.name, test.name, n)
			}
		}
	}
}

func BenchmarkAdmitRelease(b *testing.B) {
	for _, a := range algorithms {
		b.Run(a.name, func(b *testing.B) {
			f := newFarm(b, a.proxy(server("a", 100), server("b", 100)))
			c := f.admit("x")
			f.release(c)
			b.ReportAllocs()
			for b.Loop() {
				f.Admit(&c.Request)
				f.Release(&c.Request)
			}
		})
	}
}
