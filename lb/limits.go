package lb

import (
	"cmp"
	"fmt"
	"syscall"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/page"
	resolver "github.com/sluice-lb/sluice/lb/resolve"
	"github.com/sluice-lb/sluice/netns"
)

// defaultHardLimit bounds the descriptors that are planned for when the configuration names no number of connections:
// some systems allow 10^9, and nobody means that.
const defaultHardLimit = 1 << 20

// spareDescriptors are for what is open besides flows, listeners, loops and logs: standard streams, the runtime's own
// poller, name resolution, the pid file.
const spareDescriptors = 24

// limits is what the process plans to have open at most.
type limits struct {
	MaxConn     int // connections of the process
	Pipes       int // pipes for splicing, two descriptors each
	Descriptors int // all descriptors at once: what RLIMIT_NOFILE must be
	Derived     bool
}

// demand is what a configuration asks for, before the system was asked.
type demand struct {
	maxConn  int  // configured connections; 0: as many as fit
	ulimitN  int  // configured descriptors; 0: as needed
	fixed    int  // descriptors that are open whatever the traffic is
	splice   bool // an "option splice-*" asks for it; otherwise bulk is spliced as far as a few pipes go
	noSplice bool
}

// flowDescriptors are the sockets of one flow: the client's and the server's. While a connection attempt is repeated the old
// socket is closed before the new one is opened.
const flowDescriptors = 2

// flowsPerPipe: one pipe for four flows, where splicing is on at all. A flow holds a pipe only while bytes lie in it, and only
// once it moves bulk; one that finds none goes on copying, so too few pipes cost time and never a connection.
const flowsPerPipe = 4

// sparePipes bounds the pipes where no option asks for splicing, so that they take no connections away.
const sparePipes = 64

// descriptors is the number that n connections need.
func (d demand) descriptors(n int) (total, pipes int) {
	if !d.noSplice {
		pipes = (n + flowsPerPipe - 1) / flowsPerPipe
		if !d.splice {
			pipes = min(pipes, sparePipes)
		}
	}
	return d.fixed + flowDescriptors*n + 2*pipes, pipes
}

// connections is the largest number that fits into a number of descriptors, at least 1.
func (d demand) connections(descriptors int) int {
	room := max(descriptors-d.fixed, 0)
	// A flow is two descriptors and up to half of one for its share of a pipe.
	low, high := 0, room/flowDescriptors
	for low < high {
		n := (low + high + 1) / 2
		if total, _ := d.descriptors(n); total <= descriptors {
			low = n
		} else {
			high = n - 1
		}
	}
	return max(low, 1)
}

// plan decides on the limits, given the process's hard limit of descriptors. It does not look whether they can be had.
func (d demand) plan(hard uint64) limits {
	var l limits
	l.MaxConn = d.maxConn
	if l.MaxConn == 0 {
		l.Derived = true
		room := d.ulimitN
		if room == 0 {
			room = int(min(defaultHardLimit, hard))
		}
		l.MaxConn = d.connections(room)
	}
	l.Descriptors, l.Pipes = d.descriptors(l.MaxConn)
	return l
}

// newDemand reads off a configuration what it asks for. The loops are their number; override is that of -n.
func newDemand(cfg *config.Config, override, loops int) demand {
	d := demand{maxConn: cfg.Global.MaxConn, ulimitN: cfg.Global.UlimitN, noSplice: cfg.Global.NoSplice}
	if override > 0 {
		d.maxConn = override
	}
	d.fixed = spareDescriptors + 2*loops // a loop has its epoll and its eventfd
	if n := len(cfg.Global.StatsSockets); n > 0 {
		d.fixed += 2*n + cfg.Global.StatsMaxConn // one waits at each socket for a place
	}
	d.fixed += logDescriptors(cfg)
	d.fixed += programDescriptors(cfg, loops) + redirectDescriptors(cfg) + guardDescriptors(cfg)
	for _, l := range cfg.Global.StatsListens {
		d.fixed += 2 + cmp.Or(l.MaxConn, page.DefaultMaxConn)
	}
	spaces := len(namespacesOf(cfg))
	d.fixed += netns.Descriptors(spaces, pooledSockets(spaces))
	for _, section := range cfg.Resolvers {
		d.fixed += resolver.Descriptors(section)
	}
	for _, proxy := range cfg.Proxies {
		if proxy.Disabled {
			continue
		}
		if proxy.IsPage() {
			d.fixed += 2*len(proxy.Binds) + pageMaxConn(proxy)
			continue
		}
		for _, bind := range proxy.Binds {
			d.fixed += listenerDescriptors(bind, loops)
		}
		d.fixed += checkDescriptors(proxy)
		if o := proxy.Options; o.SpliceAuto || o.SpliceRequest || o.SpliceResponse {
			d.splice = true
		}
	}
	return d
}

// listenerDescriptors is the number of sockets that one bind opens at most: one for each loop that accepts there.
func listenerDescriptors(bind *config.Bind, loops int) int {
	switch {
	case len(bind.Lookup) > 0:
		return loops + 1 // while a port is looked for
	case bind.Address.Family == config.Inherited:
		return 1
	case bind.Shards > 0:
		return bind.Shards
	case len(bind.Threads) > 0:
		return len(bind.Threads)
	}
	return loops
}

// programDescriptors is what kernel programs have open. "ebpf-steering" has three tables, and a program and a table for each address;
// VIP lookup has two tables, a program, and its place in the namespace.
func programDescriptors(cfg *config.Config, loops int) (n int) {
	steered, lookup := steeringModes[cfg.Global.EBPFSteering] != 0 && loops > 1, false
	for _, proxy := range cfg.Proxies {
		if proxy.Disabled {
			continue
		}
		for _, bind := range proxy.Binds {
			lookup = lookup || len(bind.Lookup) > 0
			if steered {
				n += 2
			}
		}
	}
	if steered {
		n += 3
	}
	if lookup {
		n += 4
	}
	return n
}

// redirectDescriptors is what "option sockmap" has open: four tables, a program, and what tells of overfull places.
func redirectDescriptors(cfg *config.Config) int {
	if !wantsRedirect(cfg) {
		return 0
	}
	return 8
}

// guardDescriptors is what "ebpf-guard" has open: tables, those of its variables too, a program, and a link for each interface.
func guardDescriptors(cfg *config.Config) int {
	if cfg.Global.EBPFGuard == nil {
		return 0
	}
	return 9 + len(cfg.Global.EBPFGuard.Interfaces)
}

// logDescriptors counts the different places that logs go to.
func logDescriptors(cfg *config.Config) int {
	targets := make(map[string]bool)
	count := func(logs []config.LogTarget) {
		for _, target := range logs {
			targets[fmt.Sprint(target.Network, target.Address, target.FD)] = true
		}
	}
	count(cfg.Global.Logs)
	for _, proxy := range cfg.Proxies {
		count(proxy.Logs)
	}
	for _, ring := range cfg.Rings {
		for _, server := range ring.Servers {
			targets["server of "+ring.Name+" "+server.Name] = true
		}
	}
	return len(targets)
}

// rlimit gets and sets RLIMIT_NOFILE; tests put another in its place.
type rlimit struct {
	get func() (syscall.Rlimit, error)
	set func(syscall.Rlimit) error
}

// systemRlimit is the kernel's. The limit belongs to the process, not to a thread. Go's runtime has raised the soft limit to
// the hard one before main, and gives children the original.
var systemRlimit = rlimit{
	get: func() (limit syscall.Rlimit, err error) {
		err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
		return limit, err
	},
	set: func(limit syscall.Rlimit) error { return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) },
}

// applyLimits plans the limits and gets them from the system. When they cannot be had, the error names what is wanted and
// what there is; the limits are then as near as the system allows, for a caller that goes on with a warning.
func applyLimits(d demand, system rlimit) (limits, error) {
	have, err := system.get()
	if err != nil {
		return limits{}, fmt.Errorf("cannot read the limit of file descriptors: %w", err)
	}
	l := d.plan(have.Max)
	want := uint64(l.Descriptors)
	if d.ulimitN > 0 {
		if err := raise(uint64(d.ulimitN), &have, system); err != nil {
			return l, fmt.Errorf("cannot set the limit of file descriptors to %d as 'ulimit-n' says, the limit is %d: %w", d.ulimitN, have.Max, err)
		}
		if want > have.Cur {
			return l, fmt.Errorf("'ulimit-n' %d is too low for maxconn %d, which needs %d file descriptors; remove 'ulimit-n', or lower maxconn to %d",
				d.ulimitN, l.MaxConn, want, d.connections(d.ulimitN))
		}
		return l, nil
	}
	if want > have.Cur {
		if err := raise(want, &have, system); err != nil {
			return l, fmt.Errorf("cannot raise the limit of file descriptors to the %d that maxconn %d needs, the limit is %d: raise it, or lower maxconn to %d",
				want, l.MaxConn, have.Max, d.connections(int(min(have.Max, 1<<30))))
		}
	}
	return l, nil
}

// raise sets the soft limit, and the hard limit where that is lower and the process may. When it may not, it sets the
// soft limit to the hard one.
func raise(want uint64, have *syscall.Rlimit, system rlimit) error {
	next := syscall.Rlimit{Cur: want, Max: max(have.Max, want)}
	err := system.set(next)
	if err == nil {
		*have = next
		return nil
	}
	have.Cur = have.Max
	if second := system.set(*have); second != nil {
		return fmt.Errorf("%w, and then: %w", err, second)
	}
	return err
}
