package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// measure compares, in alternating rounds, what requests of a few bytes cost on connections that stay open: with the loop, and
// with "option sockmap". CPU is that of the whole machine, from /proc/stat, because the kernel's workers belong to no process.
func measure(sluice string, loops, rounds int, each time.Duration) error {
	t := &torrent{}
	if err := t.listen(func(conn *net.TCPConn) { io.Copy(conn, conn) }); err != nil {
		return err
	}
	for _, connections := range []int{1, 100} {
		found := map[string][][2]float64{}
		for range rounds {
			for _, proxy := range []string{"", "option sockmap"} {
				b, err := start(t, sluice, proxy, loops)
				if err != nil {
					return err
				}
				latency, cpu, err := t.ask(connections, each)
				b.end()
				if err != nil {
					return err
				}
				found[proxy] = append(found[proxy], [2]float64{latency, cpu})
			}
		}
		for _, proxy := range []string{"", "option sockmap"} {
			name := "loop"
			if proxy != "" {
				name = "sockmap"
			}
			fmt.Printf("%3d connections, %-7s: %6.1f µs for a request, %5.1f µs of CPU\n", connections, name, median(found[proxy], 0), median(found[proxy], 1))
		}
	}
	return nil
}

func median(rounds [][2]float64, column int) float64 {
	var all []float64
	for _, r := range rounds {
		all = append(all, r[column])
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// ask gives the µs that a request took, and the µs of CPU of the machine for each.
func (t *torrent) ask(connections int, each time.Duration) (latency, cpu float64, err error) {
	var all sync.WaitGroup
	var asked atomic.Int64
	var failed atomic.Value
	end := time.Now().Add(each)
	before, began := busy(), time.Now()
	for range connections {
		all.Go(func() {
			conn, err := net.Dial("tcp", t.front)
			if err != nil {
				failed.Store(err)
				return
			}
			defer conn.Close()
			b := make([]byte, 64)
			for time.Now().Before(end) {
				if _, err = conn.Write(b); err == nil {
					_, err = io.ReadFull(conn, b)
				}
				if err != nil {
					failed.Store(err)
					return
				}
				asked.Add(1)
			}
		})
	}
	all.Wait()
	if e := failed.Load(); e != nil {
		return 0, 0, e.(error)
	}
	n := float64(asked.Load())
	took := time.Since(began)
	return took.Seconds() * 1e6 * float64(connections) / n, (busy() - before) * 1e6 / n, nil
}

// busy is the seconds that all CPUs have worked: all fields of proc(5)'s first line but idle, iowait, and what guests count twice.
func busy() float64 {
	data, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(data), "\n")
	sum := 0.0
	for i, field := range strings.Fields(line)[1:] {
		if i == 3 || i == 4 || i > 7 {
			continue
		}
		var n float64
		fmt.Sscan(field, &n)
		sum += n
	}
	return sum / 100 // USER_HZ
}
