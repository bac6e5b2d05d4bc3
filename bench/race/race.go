//go:build linux

// Package race counts requests that are stuck in a balancer's queue: that wait until "timeout queue" although their server is free.
//
// Clients come in lanes, each with a listener of the balancer and servers of its own, which have maxconn 1. In a lane every client makes one request at
// a random moment, and when all have ended they begin again, so that nobody comes later who could set a stuck request free by chance. Whether a
// server was free is known from when it last answered (lane.go). The origins check the other promise: that no server gets more connections
// than its maxconn.
package race

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"github.com/sluice-lb/sluice/bench/process"
	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/subject"
)

// Options say what to measure. A list makes one row for each combination of its values.
type Options struct {
	Balancers      []string      // sluice (built from this tree), haproxy, or paths of programs
	Recheck        []string      // sluice's tune.queue-recheck: on, off
	Loops, Servers []int         // of the balancer, in a lane
	Lanes, Clients int           // Clients of a lane; 0: twice as many as it has servers
	Requests       uint64        // of a row; 0: until Longest
	Longest        time.Duration // of a row
	Spread         time.Duration // of requests; 0: as long as one lasts
	TimeoutQueue   time.Duration
	Load           string // rounds, steady
	Balance        string
	Yields         int    // hold up one in so many atomic steps of sluice's queue
	Config         string // file with a template; empty: the one for sluice and haproxy
	Arguments      []string
}

// Row is one measurement.
type Row struct {
	Balancer   string            `json:"balancer"`
	Version    string            `json:"version"`
	Recheck    string            `json:"recheck,omitempty"` // of sluice
	Yields     int               `json:"yields,omitempty"`
	Loops      int               `json:"loops"`
	Servers    int               `json:"servers"`
	Lanes      int               `json:"lanes"`
	Clients    int               `json:"clients"`
	Load       string            `json:"load"`
	Balance    string            `json:"balance"`
	Rate       float64           `json:"requests_per_second"`
	OverLimit  uint64            `json:"over_limit"` // connections that a server had beyond maxconn
	LoadResult                   // what the clients saw
	States     map[string]uint64 `json:"termination_states,omitempty"` // what the balancer logged, but for normal ends
	Lines      []string          `json:"log_lines,omitempty"`          // of those that timed out in the queue, the first few
	Queue      *QueueCounters    `json:"queue,omitempty"`              // what sluice counted

	// With the ends of their confidence intervals.
	AtRiskPerThousand *[3]float64 `json:"at_risk_per_thousand,omitempty"` // nil: the balancer did not look, or does not tell
	StuckPerMillion   [3]float64  `json:"stuck_per_million"`
}

// estimate fills the rates. Requests that are stuck together are one incident, so the interval is that of incidents.
func (r *Row) estimate() {
	rate := func(k uint64, scale float64) [3]float64 {
		low, high := result.Proportion(k, r.Requests)
		return [3]float64{scale * float64(k) / float64(max(r.Requests, 1)), scale * low, scale * high}
	}
	if r.Queue != nil && r.Recheck != "off" {
		risk := rate(min(r.Queue.AtRisk, r.Requests), 1e3)
		r.AtRiskPerThousand = &risk
	}
	each := 1.0
	if r.Incidents > 0 {
		each = float64(r.Stuck) / float64(r.Incidents)
	}
	r.StuckPerMillion = rate(r.Incidents, 1e6*each)
	if r.Elapsed > 0 {
		r.Rate = float64(r.Requests) / r.Elapsed.Seconds()
	}
}

// Run gives the rows that were finished, and with ctx ended the one that was under way, too.
func Run(ctx context.Context, o Options, remarks io.Writer) (rows []*Row, err error) {
	dir, err := os.MkdirTemp("", "bench-race")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	text := standardTemplate
	if o.Config != "" {
		read, err := os.ReadFile(o.Config)
		if err != nil {
			return nil, err
		}
		text = string(read)
	}
	room, err := process.NewRoom(false)
	if err != nil {
		return nil, err
	}
	defer room.Close()
	for _, name := range o.Balancers {
		b, err := find(ctx, name, dir, o.Yields > 0)
		if err != nil {
			return rows, err
		}
		b.room, b.directory, b.text, b.arguments = room, dir, text, o.Arguments
		for _, r := range b.rows(&o) {
			if ctx.Err() != nil {
				return rows, nil
			}
			fmt.Fprintf(remarks, "%s %s with %d loops, %d servers ...", r.Balancer, r.Recheck, r.Loops, r.Servers)
			if err := r.measure(ctx, &o, b); err != nil {
				fmt.Fprintln(remarks)
				return rows, err
			}
			fmt.Fprintf(remarks, " %d requests, %d stuck\n", r.Requests, r.Stuck)
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// rows are those to be measured of a balancer.
func (b *balancer) rows(o *Options) (rows []*Row) {
	variants := []string{""}
	if b.sluice() {
		variants = o.Recheck
	}
	for _, recheck := range variants {
		for _, loops := range o.Loops {
			for _, servers := range o.Servers {
				r := &Row{
					Balancer: b.asked, Version: b.Version, Recheck: recheck, Loops: loops, Servers: servers, Lanes: o.Lanes, Clients: o.Clients, Load: o.Load,
					Balance: o.Balance,
				}
				if b.sluice() {
					r.Yields = o.Yields
				}
				if r.Clients == 0 {
					r.Clients = 2 * servers
				}
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// measure runs one row.
func (r *Row) measure(ctx context.Context, o *Options, b *balancer) error {
	servers, err := serve(ctx, r.Lanes*r.Servers, 1)
	if err != nil {
		return err
	}
	defer servers.stop()
	logs, err := newLogSink()
	if err != nil {
		return err
	}
	defer logs.close()
	c := settings{
		Loops: r.Loops, MaxConn: 1, Balance: o.Balance, TimeoutQueue: o.TimeoutQueue, LogPort: logs.port(),
		Experiment: b.sluice() && (r.Recheck == "off" || r.Yields > 0), Recheck: r.Recheck, Yields: r.Yields,
	}
	var listening []netip.AddrPort
	for i := range r.Lanes {
		address, err := subject.FreePort(b.room, loopback)
		if err != nil {
			return err
		}
		listening = append(listening, address)
		c.Lanes = append(c.Lanes, laneSettings{address.Port(), servers.ports[i*r.Servers:][:r.Servers]})
	}
	running, err := b.start(ctx, c, listening)
	if err != nil {
		return err
	}
	defer running.Stop()
	l, err := newLoad(listening, r.Clients)
	if err != nil {
		return err
	}
	l.steady, l.spread, l.limit, l.queue = o.Load == "steady", o.Spread, o.Requests, o.TimeoutQueue
	limited, cancel := context.WithTimeout(ctx, o.Longest)
	defer cancel()
	if err := l.run(limited); err != nil {
		return err
	}
	r.LoadResult = l.LoadResult
	if b.sluice() {
		if r.Queue, err = running.counters(ctx, r.Lanes); err != nil {
			return err
		}
	}
	running.Stop() // its last log lines come
	logs.close()
	served, err := servers.stop()
	r.States, r.Lines, r.OverLimit = logs.states, logs.lines, served.OverLimit
	r.estimate()
	return err
}
