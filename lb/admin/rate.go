package admin

import (
	"sync"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
)

// rates looks at counters once a second, so that their frequency and the time of their last change are known without any work
// on the loops. A rate is that of the last second: what came since the last look, and of the second before it the share that
// is not over. Its maximum is the highest of what each look and each reader saw.
type rates struct {
	now func() time.Time

	mu    sync.Mutex // guards what follows
	began time.Time
	last  time.Time // look
	all   map[rateKey]*rate

	proxies []*Proxy
	servers [][]*backend.Server // that are watched, by proxy
}

// rateKey is one counter.
type rateKey struct {
	counters *stats.Counters
	id       stats.ID
}

type rate struct {
	rateKey
	seen    uint64 // at the last look
	before  uint64 // how many came in the second before that
	most    uint64
	changed time.Time // zero: never
}

// newRates watches the connections and sessions of all proxies and the sessions of all servers.
func newRates(proxies []*Proxy, now func() time.Time) *rates {
	r := &rates{now: now, began: now(), last: now(), all: make(map[rateKey]*rate)}
	for _, p := range proxies {
		if p.Frontend != nil {
			r.watch(p.Frontend.Stats, stats.Connections, stats.Sessions, stats.BytesOut)
		}
		if p.Backend != nil {
			r.watch(p.Backend.Stats, stats.Sessions)
		}
	}
	r.proxies, r.servers = proxies, make([][]*backend.Server, len(proxies))
	r.follow()
	return r
}

func (r *rates) watch(c *stats.Counters, ids ...stats.ID) {
	for _, id := range ids {
		key := rateKey{c, id}
		r.all[key] = &rate{rateKey: key}
	}
}

// follow watches the servers that there are now, and no others. Called under mu.
func (r *rates) follow() {
	for i, p := range r.proxies {
		if p.Backend == nil {
			continue
		}
		before, now := r.servers[i], p.Backend.Servers()
		if len(before) == len(now) && (len(now) == 0 || &before[0] == &now[0]) {
			continue // lists are replaced as a whole
		}
		r.servers[i] = now
		there := make(map[*backend.Server]bool, len(now))
		for _, s := range now {
			there[s] = true
			if r.all[rateKey{s.Stats, stats.Sessions}] == nil {
				r.watch(s.Stats, stats.Sessions)
			}
		}
		for _, s := range before {
			if !there[s] {
				delete(r.all, rateKey{s.Stats, stats.Sessions})
			}
		}
	}
}

// of gives what is known of a counter; nil: it is none of those that are watched. Called under mu.
func (r *rates) of(c *stats.Counters, id stats.ID) *rate {
	if x := r.all[rateKey{c, id}]; x != nil {
		return x
	}
	r.follow() // it may be a new server's
	return r.all[rateKey{c, id}]
}

func (r *rates) run(quit <-chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.look()
		case <-quit:
			return
		}
	}
}

// look begins a second.
func (r *rates) look() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.follow()
	for _, x := range r.all {
		n := x.counters.Sum(x.id)
		x.before = n - x.seen
		if n < x.seen { // cleared
			x.before = 0
		}
		if x.before > 0 {
			x.changed = now
		}
		x.seen, x.most = n, max(x.most, x.before)
	}
	r.last = now
}

// read gives a counter's rate per second and the highest so far.
func (r *rates) read(c *stats.Counters, id stats.ID) (now, most uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.of(c, id)
	if x == nil {
		return 0, 0
	}
	share := 1 - min(max(r.now().Sub(r.last).Seconds(), 0), 1)
	n := c.Sum(id)
	fresh := n - x.seen
	if n < x.seen {
		fresh = 0
	}
	now = fresh + uint64(float64(x.before)*share)
	x.most = max(x.most, now)
	return now, x.most
}

// since is how long ago a counter last changed, to about a second; false: it never did.
func (r *rates) since(c *stats.Counters, id stats.ID) (time.Duration, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.of(c, id)
	switch {
	case x == nil:
		return 0, false
	case c.Sum(id) > x.seen:
		return 0, true
	case x.changed.IsZero():
		return 0, false
	}
	return r.now().Sub(x.changed), true
}

// clear forgets the highest rates, and with all also what came before.
func (r *rates) clear(all bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.all {
		x.most = 0
		if all {
			x.seen, x.before, x.changed = x.counters.Sum(x.id), 0, time.Time{}
		}
	}
}
