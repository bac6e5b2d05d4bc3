// Package stats counts what happens to flows: monotonic counters with one padded shard per loop, and gauges with their
// maximum.
//
// A counter is added to by loops, each in its own shard, so that no cache line is shared on the data path; readers add the
// shards up and may see one shard a moment later than another. Gauges are single atomics, because limits look at them.
package stats

import "sync/atomic"

// ID names a counter. Not every proxy uses every counter.
type ID uint8

// The counters. Those that count a lost or refused connection name its reason.
const (
	Connections      ID = iota // accepted by a frontend, or begun towards a server
	Sessions                   // flows that got past the PROXY header; for servers and backends: flows assigned
	BytesIn                    // bytes from clients
	BytesOut                   // bytes to clients
	HeaderMalformed            // closed: PROXY header malformed
	HeaderTimeout              // closed: PROXY header late
	HeaderAborted              // closed by the client before its PROXY header was whole
	AcceptExhausted            // accept failed for want of descriptors or memory, and paused
	AcceptFailed               // accept failed for another reason: the connection was gone
	LimitReached               // accepting paused because a maxconn was reached
	RateReached                // accepting paused because rate-limit sessions was reached
	NoServer                   // closed: no server was usable
	QueueTimeouts              // closed: timeout queue
	QueueLeft                  // closed: the client left, or the process was stopped, while the flow waited for a slot
	Queued                     // flows that had to wait
	ConnectRefused             // connect attempts: refused by the server's host
	ConnectUnreached           // connect attempts: no route, or no answer to ARP
	ConnectTimeouts            // connect attempts: timeout connect
	ConnectReset               // connect attempts: failed in any other way at the server's side
	ConnectLocal               // connect attempts: no source port, descriptor or memory here
	ConnectFailed              // flows closed because the last attempt failed
	Retries                    // connect attempts that were repeated
	Redispatches               // of these, at another server
	ClientAborts               // flows ended by the client: reset, or left while waiting
	ServerAborts               // flows ended by the server's reset
	ClientTimeouts             // flows ended by timeout client, client-fin or tunnel at the client's side
	ServerTimeouts             // flows ended by timeout server, server-fin or tunnel at the server's side
	Killed                     // flows cut by the process's stop
	Spliced                    // bytes moved by splice
	ServerDown                 // flows ended because their server went down: on-marked-down shutdown-sessions
	BackupLeft                 // flows ended on a backup server because a server came up: on-marked-up shutdown-backup-sessions
	Throttled                  // times that a flow had to wait for its tenant's bandwidth
	PathSamples                // of servers: flows whose connection to the server was looked at when they ended
	PathRoundTrip              // of these: µs of the smoothed round trip (RFC 6298)
	PathSegments               // of these: segments with data that were sent to the server
	PathRetransmits            // of these: segments that were sent again
	Redirected                 // flows that the kernel's socket redirect took: option sockmap
	RedirectedBytes            // bytes that it moved
	RedirectFull               // flows that it did not take: no place was free
	RedirectRefused            // flows that it did not take: the kernel refused a socket, which had ended or is not TCP's
	RedirectSlow               // times that a direction went back to the loop because its receiver was slow
	RedirectBroken             // flows cut because the kernel could not tell new bytes from those that were sent again
	Count                      // how many counters there are
)

// Names of the counters, for listings.
var Names = [Count]string{
	"connections", "sessions", "bytes_in", "bytes_out", "header_malformed", "header_timeout", "header_aborted",
	"accept_exhausted", "accept_failed", "limit_reached", "rate_reached", "no_server", "queue_timeouts", "queue_left",
	"queued", "connect_refused", "connect_unreached", "connect_timeouts", "connect_reset", "connect_local",
	"connect_failed", "retries", "redispatches", "client_aborts", "server_aborts", "client_timeouts", "server_timeouts",
	"killed", "spliced", "server_down", "backup_left", "throttled",
	"path_samples", "path_round_trip", "path_segments", "path_retransmits",
	"redirected", "redirected_bytes", "redirect_full", "redirect_refused", "redirect_slow", "redirect_broken",
}

// Counters is one set of counters, and the times of the flows that ended.
type Counters struct {
	shards []shard
	base   [Count]atomic.Uint64 // what Clear takes off
}

// shard is written by one loop only; the padding keeps its neighbours' cache lines apart (two lines, for the prefetcher).
type shard struct {
	values [Count]atomic.Uint64
	times  [Times]times
	_      [128]byte
}

// New makes a set for loops 0 to loops-1.
func New(loops int) *Counters { return &Counters{shards: make([]shard, loops)} }

// Add counts n more. Only the loop itself may use its number.
func (c *Counters) Add(loop int, id ID, n uint64) { c.shards[loop].values[id].Add(n) }

// Sum is the counter's value over all loops, since Clear.
func (c *Counters) Sum(id ID) uint64 {
	base := c.base[id].Load() // before the shards, which only grow: never more is taken off than there is
	return c.total(id) - base
}

func (c *Counters) total(id ID) uint64 {
	var sum uint64
	for i := range c.shards {
		sum += c.shards[i].values[id].Load()
	}
	return sum
}

// Of is what one loop has counted, whatever Clear has done.
func (c *Counters) Of(loop int, id ID) uint64 { return c.shards[loop].values[id].Load() }

// Clear makes all counters and times begin anew. Readers of the same moment may see some that have and some that have not.
func (c *Counters) Clear() {
	for id := range Count {
		c.base[id].Store(c.total(id))
	}
	c.clearTimes(true)
}

// Gauge is a number that goes up and down, with the highest value it had.
type Gauge struct {
	value, highest atomic.Int64
}

// Add changes the gauge and returns its new value.
func (g *Gauge) Add(n int64) int64 {
	v := g.value.Add(n)
	if n > 0 {
		g.raise(v)
	}
	return v
}

// AddBelow adds one if the gauge is below limit and reports whether it did. The gauge never passes limit this way, however
// many loops call at once: the place is claimed by compare-and-swap. It counts for the highest value only with Raise, as a place may be
// given back unused.
func (g *Gauge) AddBelow(limit int64) bool {
	for {
		v := g.value.Load()
		if v >= limit {
			return false
		}
		if g.value.CompareAndSwap(v, v+1) {
			return true
		}
	}
}

// Raise lets the current value count for the highest one: what AddBelow claimed is used. A place that another loop has claimed in this
// very moment is counted with it.
func (g *Gauge) Raise() { g.raise(g.value.Load()) }

func (g *Gauge) raise(v int64) {
	for {
		h := g.highest.Load()
		if v <= h || g.highest.CompareAndSwap(h, v) {
			return
		}
	}
}

// ClearHighest makes the highest value begin anew, with the current one.
func (g *Gauge) ClearHighest() { g.highest.Store(g.value.Load()) }

// Value is the current value.
func (g *Gauge) Value() int64 { return g.value.Load() }

// Highest is the highest value so far.
func (g *Gauge) Highest() int64 { return g.highest.Load() }
