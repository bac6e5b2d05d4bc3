package main

import (
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// request is one request's fate.
type request struct {
	at       time.Time
	took     time.Duration
	answered bool
}

// load makes short requests at a steady pace, whatever became of those before: each connects, says PING, and reads to the
// end.
type load struct {
	address string
	rate    int // requests per second
	limit   int // requests in all
	quit    chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex // guards requests
	requests []request
}

// patience bounds a request. It is longer than any time limit of the balancer.
const patience = 8 * time.Second

func (l *load) start() {
	l.quit = make(chan struct{})
	l.running.Go(func() {
		pace := time.NewTicker(time.Second / time.Duration(l.rate))
		defer pace.Stop()
		for range l.limit {
			select {
			case <-pace.C:
				l.running.Go(l.ask)
			case <-l.quit:
				return
			}
		}
	})
}

// stop makes no more requests and returns when the last has ended.
func (l *load) stop() {
	close(l.quit)
	l.running.Wait()
}

func (l *load) ask() {
	r := request{at: time.Now()}
	if conn, err := net.DialTimeout("tcp", l.address, patience); err == nil {
		conn.SetDeadline(r.at.Add(patience))
		io.WriteString(conn, "PING\r\n")
		text, err := io.ReadAll(conn)
		r.answered = err == nil && strings.HasPrefix(string(text), "PONG ")
		conn.Close()
	}
	r.took = time.Since(r.at)
	l.mu.Lock()
	l.requests = append(l.requests, r)
	l.mu.Unlock()
}

// late is how long an answer may take before it counts as late.
const late = time.Second

// tally is what became of the requests that began within a time.
type tally struct{ all, lost, late int }

func (l *load) between(from, to time.Time) tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	var t tally
	for _, r := range l.requests {
		if r.at.Before(from) || !r.at.Before(to) {
			continue
		}
		t.all++
		switch {
		case !r.answered:
			t.lost++
		case r.took > late:
			t.late++
		}
	}
	return t
}
