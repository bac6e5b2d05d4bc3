package lb

import (
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Snapshot is what the balancer counted so far. The counters are read one after the other while the loops go on.
type Snapshot struct {
	Flows       int    // open now
	LogsDropped uint64 // log lines
	Proxies     []ProxySnapshot
}

// ProxySnapshot is one proxy. A listen has the numbers of its frontend side, and its servers.
type ProxySnapshot struct {
	Name              string
	Kind              config.ProxyKind
	Current           int    // flows now
	Total             uint64 // flows so far
	BytesIn, BytesOut uint64
	Queued            int
	Queue             QueueSnapshot // of those who wait for any server
	Counters          [stats.Count]uint64
	Servers           []ServerSnapshot
	Status            backend.BackendStatus // of its backend side
}

// ServerSnapshot is one server.
type ServerSnapshot struct {
	Name              string
	State             string // as Status.Text
	Status            backend.Status
	Current, Queued   int
	Queue             QueueSnapshot // of those who wait for this server alone
	Total             uint64
	BytesIn, BytesOut uint64
}

// QueueSnapshot is what one queue has counted.
type QueueSnapshot struct {
	Highest int // flows that waited at once
	queue.Counts
	TimedOut, Left uint64        // flows that ended while they waited; a backend counts those of its servers' queues too
	Waits          uint64        // flows that waited and got a slot, as TimedOut
	Waited         time.Duration // in all
}

func queueSnapshot(highest int, c queue.Counts, counters *stats.Counters, waited *stats.Histogram) QueueSnapshot {
	_, n, sum := waited.Sum()
	return QueueSnapshot{
		highest, c, counters.Sum(stats.QueueTimeouts), counters.Sum(stats.QueueLeft), n, time.Duration(sum) * time.Microsecond,
	}
}

// Snapshot reads all counters.
func (b *Balancer) Snapshot() Snapshot {
	s := Snapshot{Flows: int(b.process.Flows.Value()), LogsDropped: b.shipper.Dropped()}
	for _, p := range b.config.Proxies {
		if p.Disabled {
			continue
		}
		x := ProxySnapshot{Name: p.Name, Kind: p.Kind}
		be := b.backends[p.Name]
		if be != nil {
			x.count(be.Stats)
			x.Current, x.Queued = int(be.Flows.Value()), be.Queued()
			x.Status = be.Status()
			x.Queue = queueSnapshot(be.HighestQueue(), be.QueueCounts(), be.Stats, be.Waited)
			for _, server := range be.Servers() {
				state := server.Status()
				x.Servers = append(x.Servers, ServerSnapshot{
					Name: server.Name, State: state.Text, Status: state, Current: server.Served(), Queued: server.Queued(),
					Queue: queueSnapshot(server.HighestQueue(), server.QueueCounts(), server.Stats, server.Waited),
					Total: server.Stats.Sum(stats.Sessions), BytesIn: server.Stats.Sum(stats.BytesIn), BytesOut: server.Stats.Sum(stats.BytesOut),
				})
			}
		}
		if fe := b.frontends[p.Name]; fe != nil {
			x.count(fe.Stats)
			x.Current = int(fe.Flows.Value())
		}
		s.Proxies = append(s.Proxies, x)
	}
	return s
}

// count adds a set of counters; what both sides of a listen count is taken from the later one.
func (x *ProxySnapshot) count(c *stats.Counters) {
	for id := range stats.Count {
		if n := c.Sum(id); n > 0 {
			x.Counters[id] = n
		}
	}
	x.Total, x.BytesIn, x.BytesOut = c.Sum(stats.Sessions), c.Sum(stats.BytesIn), c.Sum(stats.BytesOut)
}
