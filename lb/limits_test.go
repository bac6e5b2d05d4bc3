package lb

import (
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-lb/sluice/lb/config"
)

func TestPlanLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		demand demand
		hard   uint64
		want   limits
	}{
		{"configured", demand{maxConn: 1000, fixed: 50, noSplice: true}, 20000, limits{MaxConn: 1000, Descriptors: 2050}},
		{"configured, splicing", demand{maxConn: 1000, fixed: 50, splice: true}, 20000, limits{MaxConn: 1000, Descriptors: 2550, Pipes: 250}},
		{"over the limit, still as configured", demand{maxConn: 1000, fixed: 50, noSplice: true}, 100, limits{MaxConn: 1000, Descriptors: 2050}},
		{"derived", demand{fixed: 50, noSplice: true}, 20000, limits{MaxConn: 9975, Descriptors: 20000, Derived: true}},
		{"derived, a few pipes", demand{fixed: 50}, 20000, limits{MaxConn: 9911, Descriptors: 20000, Pipes: 64, Derived: true}},
		{"derived, splicing", demand{fixed: 50, splice: true}, 20050, limits{MaxConn: 8000, Descriptors: 20050, Pipes: 2000, Derived: true}},
		{"derived from ulimit-n", demand{fixed: 50, ulimitN: 1050, noSplice: true}, 20000, limits{MaxConn: 500, Descriptors: 1050, Derived: true}},
		{"derived, no limit", demand{fixed: 50, noSplice: true}, ^uint64(0), limits{MaxConn: (1<<20 - 50) / 2, Descriptors: 1 << 20, Derived: true}},
		{"no room at all", demand{fixed: 50, noSplice: true}, 10, limits{MaxConn: 1, Descriptors: 52, Derived: true}},
	} {
		if got := test.demand.plan(test.hard); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

// The number of connections that fit is the largest, for every number of descriptors.
func TestConnectionsFit(t *testing.T) {
	for _, splice := range []bool{false, true} {
		d := demand{fixed: 7, splice: splice, noSplice: !splice}
		for room := 20; room < 2000; room++ {
			n := d.connections(room)
			fits, _ := d.descriptors(n)
			over, _ := d.descriptors(n + 1)
			if fits > room || over <= room {
				t.Fatalf("splice %v: %d connections for %d descriptors need %d, one more needs %d", splice, n, room, fits, over)
			}
		}
	}
}

// kernelLimit is an RLIMIT_NOFILE whose hard limit cannot be raised over ceiling.
type kernelLimit struct {
	now     syscall.Rlimit
	ceiling uint64
}

func (k *kernelLimit) system() rlimit {
	return rlimit{
		get: func() (syscall.Rlimit, error) { return k.now, nil },
		set: func(l syscall.Rlimit) error {
			if l.Max > max(k.now.Max, k.ceiling) {
				return syscall.EPERM
			}
			if l.Cur > l.Max {
				return syscall.EINVAL
			}
			k.now = l
			return nil
		},
	}
}

func TestApplyLimits(t *testing.T) {
	for _, test := range []struct {
		name       string
		demand     demand
		cur, hard  uint64
		ceiling    uint64
		want       syscall.Rlimit
		complaints []string // what the error says; none: no error
	}{
		{"enough", demand{maxConn: 100, fixed: 50, noSplice: true}, 1024, 4096, 0, syscall.Rlimit{Cur: 1024, Max: 4096}, nil},
		{"soft raised", demand{maxConn: 1000, fixed: 50, noSplice: true}, 1024, 4096, 0, syscall.Rlimit{Cur: 2050, Max: 4096}, nil},
		{"hard raised", demand{maxConn: 10000, fixed: 50, noSplice: true}, 1024, 4096, 1 << 20, syscall.Rlimit{Cur: 20050, Max: 20050}, nil},
		{"too low", demand{maxConn: 10000, fixed: 50, noSplice: true}, 1024, 4096, 0, syscall.Rlimit{Cur: 4096, Max: 4096}, []string{"maxconn 10000", "20050", "limit is 4096", "lower maxconn to 2023"}},
		{"ulimit-n", demand{maxConn: 100, fixed: 50, ulimitN: 500, noSplice: true}, 1024, 4096, 0, syscall.Rlimit{Cur: 500, Max: 4096}, nil},
		{"ulimit-n refused", demand{maxConn: 100, fixed: 50, ulimitN: 5000, noSplice: true}, 1024, 4096, 0, syscall.Rlimit{Cur: 4096, Max: 4096}, []string{"5000", "4096"}},
		{"ulimit-n too low", demand{maxConn: 1000, fixed: 50, ulimitN: 500, noSplice: true}, 1024, 4096, 0, syscall.Rlimit{Cur: 500, Max: 4096}, []string{"'ulimit-n' 500", "maxconn 1000", "2050", "lower maxconn to 225"}},
	} {
		k := kernelLimit{now: syscall.Rlimit{Cur: test.cur, Max: test.hard}, ceiling: test.ceiling}
		_, err := applyLimits(test.demand, k.system())
		if k.now != test.want || (err != nil) != (test.complaints != nil) {
			t.Errorf("%s: limit %+v, error %v; want %+v", test.name, k.now, err, test.want)
		}
		for _, part := range test.complaints {
			if err != nil && !strings.Contains(err.Error(), part) {
				t.Errorf("%s: error %q lacks %q", test.name, err, part)
			}
		}
	}
}

func TestDemand(t *testing.T) {
	logs := []config.LogTarget{{Network: "udp", Address: "127.0.0.1:514"}}
	cfg := &config.Config{
		Global: config.Global{MaxConn: 10, Logs: logs},
		Proxies: []*config.Proxy{
			{Logs: logs, Binds: []*config.Bind{{}, {Shards: 3}, {Threads: []int{1, 2}}, {Address: config.Address{Family: config.Inherited}}}},
			{Disabled: true, Binds: []*config.Bind{{}}, Options: config.Options{SpliceAuto: true}},
		},
	}
	want := demand{maxConn: 10, fixed: spareDescriptors + 2*4 + 1 + (4 + 3 + 2 + 1)}
	if got := newDemand(cfg, 0, 4); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	cfg.Proxies[1].Disabled = false
	want.maxConn, want.fixed, want.splice = 99, want.fixed+4, true
	if got := newDemand(cfg, 99, 4); got != want {
		t.Errorf("with -n and splicing: %+v, want %+v", got, want)
	}
	// Programs: five addresses and what they share.
	cfg.Global.EBPFSteering = "least"
	if got := newDemand(cfg, 99, 4).fixed; got != want.fixed+3+2*5 {
		t.Errorf("with steering: %d, want %d", got, want.fixed+3+2*5)
	}
	if got, off := newDemand(cfg, 99, 1).fixed, newDemand(&config.Config{Global: config.Global{Logs: logs}, Proxies: cfg.Proxies}, 99, 1).fixed; got != off {
		t.Errorf("with steering and one loop: %d, want %d", got, off)
	}
	cfg.Global.EBPFSteering = ""
	cfg.Proxies[1].Binds[0].Lookup = []config.Address{{}}
	if got := newDemand(cfg, 99, 4).fixed; got != want.fixed+4+1 { // one while a port is looked for
		t.Errorf("with a prefix: %d, want %d", got, want.fixed+5)
	}
}
