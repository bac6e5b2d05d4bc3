package check

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// Options are what the checks of one process share.
type Options struct {
	Spread    int           // percent by which an interval varies at random, both ways, 0..50
	MaxSpread time.Duration // bound of the time over which the first checks are spread; 0: none
	// BufferSize is how many bytes of a response are looked at; 0: 16384, as in HAProxy.
	BufferSize int
	Node       string // this machine's name for servers and formats
	Process    int    // this process's number, for formats
	Seed       uint64 // of the random variation

	External            bool                             // "external-check"
	InsecureForkWanted  bool                             // "insecure-fork-wanted"
	PreserveEnvironment bool                             // "external-check preserve-env"
	Environment         func(name string) (string, bool) // for "env" in expressions; nil: the process's
}

const defaultBufferSize = 16384

// Checker runs the checks of a process.
type Checker struct {
	options  Options
	schedule *schedule

	mu      sync.Mutex
	servers map[*Server]struct{} // guarded by mu

	variables sync.Map // those of scope "proc": name to text

	started bool
	running sync.WaitGroup // checks, and the schedule's goroutine
	stopped atomic.Bool
	stop    sync.Once
}

// New makes a Checker without servers. Nothing runs until Start.
func New(o Options) *Checker {
	if o.BufferSize <= 0 {
		o.BufferSize = defaultBufferSize
	}
	c := &Checker{options: o, servers: make(map[*Server]struct{})}
	c.schedule = newSchedule(o.Seed, o.Spread, c.launch)
	return c
}

// Add makes the checks of one server: a health check if "check" is set and the server follows no other, an agent check if
// "agent-check" is. agent is nil without the latter. An error names what of the rules cannot be. Any goroutine may call it, also
// when the others' checks run.
func (c *Checker) Add(b *backend.Backend, s *backend.Server, p *config.Proxy, cfg *config.Server, t, agent *Target) (*Server, error) {
	server := &Server{checker: c, backend: b, server: s, name: cfg.Name, id: cfg.ID, proxy: p, maxConn: cfg.MaxConn}
	server.target.Store(t)
	server.agentTarget.Store(agent)
	if cfg.Check.Enabled && cfg.Track == "" {
		check, err := server.healthCheck(p, cfg)
		if err != nil {
			return nil, err
		}
		run := func(p *probe) {
			check(p, s.Checked)
		}
		server.check = check
		server.health = &probe{server: server, run: run, interval: s.CheckInterval, enabled: s.CheckEnabled}
		c.schedule.add(server.health)
	}
	if cfg.Check.Agent && agent != nil {
		server.agent = newAgentProbe(server, p, cfg)
		c.schedule.add(server.agent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.servers[server] = struct{}{}
	if c.stopped.Load() { // Stop may have gone through the others already
		server.interrupt()
	}
	return server, nil
}

// Remove ends the checks of a server: one that runs is interrupted, and has no result.
func (c *Checker) Remove(s *Server) {
	c.schedule.remove(s.health)
	c.schedule.remove(s.agent)
	s.interrupt()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.servers, s)
}

func (s *Server) interrupt() {
	s.health.interrupt()
	s.agent.interrupt()
}

// Start begins to check, the first checks spread over their intervals.
func (c *Checker) Start() {
	if c.stopped.Load() {
		return
	}
	c.started = true
	c.schedule.spread(time.Now(), c.options.MaxSpread)
	c.running.Add(1)
	go func() {
		defer c.running.Done()
		c.schedule.run()
	}()
}

// Stop ends all checks, without results for those that run, and waits until nothing of them is left. It may be called
// before Start, and more than once.
func (c *Checker) Stop() {
	c.stop.Do(func() {
		c.stopped.Store(true)
		c.schedule.stop()
		c.mu.Lock()
		for s := range c.servers {
			s.interrupt()
		}
		c.mu.Unlock()
		c.running.Wait()
	})
}

// launch makes checks that are due. Only the schedule's goroutine calls it.
func (c *Checker) launch(due []*probe) {
	c.running.Add(1)
	go (&shift{checker: c, due: slices.Clone(due)}).work()
}

// Server is the checks of one server.
type Server struct {
	checker *Checker
	backend *backend.Backend
	server  *backend.Server
	proxy   *config.Proxy
	name    string
	id      int
	maxConn int

	health, agent       *probe                 // nil: none
	check               check                  // what health does
	conversation        atomic.Pointer[script] // what agent goes through
	agentInter          time.Duration
	target, agentTarget atomic.Pointer[Target]
}

// SetTarget changes how the server is reached from the next health check on.
func (s *Server) SetTarget(t *Target) { s.target.Store(t) }

// SetAgentTarget is SetTarget for the agent.
func (s *Server) SetAgentTarget(t *Target) { s.agentTarget.Store(t) }

// Target is how the next health check reaches the server.
func (s *Server) Target() *Target { return s.target.Load() }

// AgentTarget is how the agent is reached; nil: there is none.
func (s *Server) AgentTarget() *Target { return s.agentTarget.Load() }

// Hasten brings the next health check forward, to be at most d away.
func (s *Server) Hasten(d time.Duration) {
	if s.health != nil {
		s.checker.schedule.hasten(s.health, time.Now().Add(d))
	}
}
