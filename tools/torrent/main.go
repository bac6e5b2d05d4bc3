// Torrent pours random bytes through a balancer and checks each of them where it comes out: what "option sockmap" is held to.
//
//	go run ./tools/torrent                    1 GB through sluice with "option sockmap"
//	go run ./tools/torrent -bytes 100G        what docs/ebpf.md tells of
//	go run ./tools/torrent -proxy ""          the same without the option
//	go run ./tools/torrent -measure 7         what requests of a few bytes cost, with the option and without
//
// Each flow is a conversation between a client and an origin, both of them here, whose every step comes from the flow's own
// random numbers (talk.go): messages of one byte to some megabytes in chunks of any size, answers that come before the
// request is over, readers that stall, half-closes of either side, ends with bytes under way. Both sides know what the
// other says (stream.go), so that a byte that is wrong, lost, doubled or out of its place is seen when it arrives. What
// counts as bytes is what arrived and was right.
//
// It runs on loopback, prints its progress, and exits with 1 at the first fault, after telling the flow's number and seed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// torrent is one run.
type torrent struct {
	bytes   int64 // to be checked until it ends
	flows   int   // at once
	seed    uint64
	largest int // bytes of a message
	stall   time.Duration

	front, origin string // addresses
	checked       atomic.Int64
	ended         atomic.Int64 // flows
	next          atomic.Uint64
	failed        atomic.Bool
	mu            sync.Mutex
	errs          []error
}

func main() {
	t := &torrent{}
	bytes := flag.String("bytes", "1G", "bytes to check; k, M and G are powers of 1000")
	flag.IntVar(&t.flows, "flows", 32, "flows at once")
	flag.Uint64Var(&t.seed, "seed", 1, "of the random numbers")
	flag.IntVar(&t.largest, "largest", 4<<20, "bytes of the largest message")
	flag.DurationVar(&t.stall, "stall", 30*time.Millisecond, "longest stall of a reader")
	sluice := flag.String("sluice", "", "sluice's binary; built if not given")
	proxy := flag.String("proxy", "option sockmap", "line of the proxy's section")
	loops := flag.Int("loops", 2, "loops of the balancer")
	rounds := flag.Int("measure", 0, "instead, measure latency and CPU with and without the option, in so many rounds")
	flag.Parse()
	var err error
	if *rounds > 0 {
		err = measure(*sluice, *loops, *rounds, 3*time.Second)
	} else if t.bytes, err = size(*bytes); err == nil {
		_, err = t.run(*sluice, *proxy, *loops)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torrent:", err)
		os.Exit(1)
	}
}

// size reads "100G".
func size(text string) (int64, error) {
	unit := int64(1)
	for i, u := range []string{"k", "M", "G"} {
		if rest, found := strings.CutSuffix(text, u); found {
			text = rest
			for range i + 1 {
				unit *= 1000
			}
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is no number of bytes", text)
	}
	return n * unit, nil
}

// run gives what the balancer tells of itself at the end.
func (t *torrent) run(sluice, proxy string, loops int) ([]string, error) {
	if err := t.listen(t.serve); err != nil {
		return nil, err
	}
	b, err := start(t, sluice, proxy, loops)
	if err != nil {
		return nil, err
	}
	defer b.end()
	began := time.Now()
	stop := make(chan struct{})
	go t.progress(began, stop)
	var flows sync.WaitGroup
	for range t.flows {
		flows.Go(func() {
			for !t.failed.Load() && t.checked.Load() < t.bytes {
				t.flow(t.next.Add(1))
			}
		})
	}
	flows.Wait()
	close(stop)
	took := time.Since(began)
	fmt.Printf("%d bytes checked in %d flows, %.0f s, %.2f GB/s\n", t.checked.Load(), t.ended.Load(), took.Seconds(), float64(t.checked.Load())/1e9/took.Seconds())
	status := b.status()
	for _, line := range status {
		fmt.Println(line)
	}
	return status, errors.Join(t.errs...)
}

// progress tells every five seconds how far it is, and whether it stands still.
func (t *torrent) progress(began time.Time, stop chan struct{}) {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	var before int64
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		n := t.checked.Load()
		still := ""
		if n == before {
			still = ", NOTHING MOVED"
		}
		before = n
		fmt.Printf("%4.0f s: %6.2f GB, %d flows ended%s\n", time.Since(began).Seconds(), float64(n)/1e9, t.ended.Load(), still)
	}
}

// fault notes what went wrong with a flow, and ends the run.
func (t *torrent) fault(number uint64, who string, err error) {
	t.failed.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.errs) < 10 {
		t.errs = append(t.errs, fmt.Errorf("flow %d of seed %d, %s: %w", number, t.seed, who, err))
	}
}
