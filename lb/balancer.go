package lb

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/ebpf"
	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/poller"
)

// Options for Open that do not come from the configuration.
type Options struct {
	MaxConnOverride int // connections of the process; 0: what the configuration says
	Pipes           int // splice pipes of the process, for which descriptors are planned; 0: no bound
	// Say is told what the operator should know, besides the logs. Any goroutine may call it; nil: the logs alone.
	Say func(severity config.Severity, text string)
	// StartupLogs gives the lines that were said while the process started, for "show startup-logs"; nil: there are none.
	StartupLogs func() []string
	// Environment is looked into for log formats; nil: the process's own.
	Environment func(name string) (value string, found bool)
	// LoadProgram brings programs into the kernel; nil: as usual. Tests make it fail.
	LoadProgram ebpf.Loader
}

// Balancer is an assembled process: loops, listeners, frontends and backends. Its methods may be called from any goroutine;
// each of Start, SoftStop and Stop has an effect once.
type Balancer struct {
	config    *config.Config
	env       tcplog.Environment
	say       func(config.Severity, string)
	process   *flow.Process
	pollers   []*poller.Loop
	shipper   *tcplog.Shipper
	logger    *tcplog.Logger // the process's own
	rings     []*tcplog.Buffer
	backends  map[string]*flow.Backend
	frontends map[string]*flow.Frontend
	listeners []*poller.Listener
	acceptors [][]*flow.Acceptor        // by loop
	loggers   map[string]*tcplog.Logger // by proxy
	news      *healthNews
	states    *savedStates   // with which servers start
	saver     *stateSaver    // nil: states are not saved
	guard     *guard         // nil: there is none
	redirect  *ebpf.Redirect // nil: no proxy wants it, or the kernel does not have it
	mailers   *emailAlerts
	names     *names
	tenants   map[string]*flow.Tenant // by namespace
	spaces    *namespaces
	admin     *administration // nil: there is neither a stats socket nor a statistics listener
	stopping  atomic.Bool     // no more connections are taken
	steering  *steering       // nil: the kernel spreads connections by its hash
	lookup    *lookup         // nil: no bind needs it
	// startupLogs is Options.StartupLogs.
	startupLogs func() []string
	loadProgram ebpf.Loader
	checks      *checks
	// lastAddress gives what the state file has of a server's address; nil: there is none.
	lastAddress func(*config.Proxy, *config.Server) (netip.Addr, bool)

	running  sync.WaitGroup // loops
	softStop sync.Once
	stop     sync.Once
	done     chan struct{}
}

// Open creates every socket, resolves every name and builds every room of cfg. It needs the privileges that the sockets
// need; nothing runs yet. The error joins all complaints, each with its place in the configuration; then nothing stays open.
func Open(cfg *config.Config, o Options) (*Balancer, error) {
	loops := cfg.Global.Threads
	if loops == 0 {
		loops = DefaultLoops()
	}
	b := &Balancer{
		say:    o.Say,
		config: cfg, env: o.Environment, startupLogs: o.StartupLogs, loadProgram: o.LoadProgram,
		process: &flow.Process{
			MaxConn: int64(cfg.Global.MaxConn), MaxAccept: cfg.Global.Tune.MaxAccept, NoSplice: cfg.Global.NoSplice,
			IdleTimer: cfg.Global.Tune.IdleTimer,
		},
		shipper:   tcplog.NewShipper(loops, tcplog.ShipperOptions{}),
		backends:  make(map[string]*flow.Backend),
		frontends: make(map[string]*flow.Frontend),
		loggers:   make(map[string]*tcplog.Logger),
		acceptors: make([][]*flow.Acceptor, loops),
		done:      make(chan struct{}),
	}
	if b.say == nil {
		b.say = func(config.Severity, string) {}
	}
	b.news = newHealthNews(b.say)
	if o.MaxConnOverride > 0 {
		b.process.MaxConn = int64(o.MaxConnOverride)
	}
	b.process.Alert = func(text string) {
		b.logger.Message(tcplog.Emergency, text)
		go b.say(config.Alert, text) // standard error may be a pipe that nobody reads
	}
	b.openTenants(loops)
	b.openStates(b.say)
	err := errors.Join(yieldInQueue(cfg.Global.Tune.QueueYield), b.openRings(true), b.openLogs(), b.openLoops(loops, o.Pipes), b.openNamespaces(), b.openStateSaver(), b.openBackends(loops, func(pos config.Pos, text string) {
		b.say(config.Warning, fmt.Sprintf("config : [%s:%d] : %s", pos.File, pos.Line, text))
	}))
	if err == nil {
		err = errors.Join(b.connectHealth(), b.openNames(), b.openChecks(), b.openMailers(), b.openFrontends(loops))
	}
	if err == nil {
		err = b.openAdmin(o.Pipes)
	}
	if err == nil {
		err = b.openGuard(b.loadProgram)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	b.joinServers()
	b.openRedirect(loops, b.loadProgram)
	b.attachGuard()
	b.restoreStates()
	return b, nil
}

// Check finds what is wrong with cfg and can be found without opening a socket: names that do not resolve, log targets
// that cannot be.
func Check(cfg *config.Config) []config.Diagnostic {
	b := &Balancer{config: cfg, process: &flow.Process{}, backends: make(map[string]*flow.Backend), loggers: make(map[string]*tcplog.Logger), shipper: tcplog.NewShipper(1, tcplog.ShipperOptions{})}
	defer b.shipper.Close(0)
	var found []config.Diagnostic
	warn := func(pos config.Pos, text string) {
		found = append(found, config.Diagnostic{Severity: config.Warning, Pos: pos, Text: text})
	}
	b.openStates(func(severity config.Severity, text string) {
		found = append(found, config.Diagnostic{Severity: severity, Text: text})
	})
	for _, err := range flatten(errors.Join(yieldInQueue(cfg.Global.Tune.QueueYield), b.openRings(false), b.openLogs(), b.checkNamespaces(), b.openBackends(1, warn), b.openNames(), b.openChecks(), b.openMailers())) {
		var placed *placedError
		d := config.Diagnostic{Severity: config.Alert, Text: err.Error()}
		if errors.As(err, &placed) {
			d.Pos, d.Text = placed.pos, placed.err.Error()
		}
		found = append(found, d)
	}
	return found
}

// placedError is a complaint about a line of the configuration.
type placedError struct {
	pos config.Pos
	err error
}

func (e *placedError) Error() string {
	return fmt.Sprintf("config : [%s:%d] : %v", e.pos.File, e.pos.Line, e.err)
}
func (e *placedError) Unwrap() error { return e.err }

func at(pos config.Pos, format string, arguments ...any) error {
	return &placedError{pos, fmt.Errorf(format, arguments...)}
}

// flatten gives the single errors of a joined one.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// maxReserved bounds the flows for which each loop reserves room in its table.
const maxReserved = 1 << 20

// pathSamples is how many ended flows of each loop are looked at in a second. A look takes about a microsecond.
const pathSamples = 100

func (b *Balancer) openLoops(loops, pipes int) error {
	cpus, err := loopCPUs(b.config, loops)
	if err != nil {
		return err
	}
	b.openSteering(cpus, b.loadProgram)
	tune := b.config.Global.Tune
	if hasPages(b.config) { // only the exporter shows them
		b.process.PathSamples = pathSamples
	}
	for i := range loops {
		seat := b.steering.seat(i)
		var busySince *atomic.Int64
		if seat != nil {
			busySince = &seat.BusySince
		}
		l, err := poller.NewLoop(poller.Options{
			CPUs: cpus[i], MaxEvents: tune.MaxPollEvents, BufferSize: tune.BufSize, PipeSize: tune.PipeSize,
			Sockets: 2 * int(min(b.process.MaxConn, maxReserved)), MaxPipes: (pipes + loops - 1) / loops, BusyPoll: b.config.Global.BusyPolling,
			Measure: measured(b.config), BusySince: busySince,
		})
		if err != nil {
			return fmt.Errorf("cannot make loop %d: %w", i+1, err)
		}
		b.pollers = append(b.pollers, l)
		loop := flow.NewLoop(b.process, l)
		if seat != nil {
			loop.PublishFlows(&seat.Flows)
		}
	}
	return nil
}

func (b *Balancer) openBackends(loops int, warn func(config.Pos, string)) error {
	names := initialNames{last: b.lastAddress, warn: warn, spaces: b.spaces}
	var errs []error
	for _, p := range b.config.Proxies {
		if p.Disabled || p.Kind&config.Backend == 0 {
			continue
		}
		servers, err := backend.New(p, fullConn(b.config, p, b.process.MaxConn), loops)
		if err != nil {
			errs = append(errs, at(p.Pos, "%w", err))
			continue
		}
		if b.config.Global.Tune.NoQueueRecheck {
			servers.WithoutRecheck()
		}
		fb, err := newFlowBackend(b.config, p, servers, names)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		b.backends[p.Name] = fb
	}
	return errors.Join(errs...)
}

// Start starts the loops, each on its own thread, and returns when all of them accept.
func (b *Balancer) Start() error {
	// A hot loop holds a P while it waits; logs, signals and the collector need one besides.
	// Setting it also keeps the runtime from lowering it when the affinity or the quota shrinks.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), len(b.pollers)+1))
	for _, fb := range b.backends {
		fb.Start()
	}
	b.mailers.start(b)
	b.names.set.Start()
	b.saver.start()
	started := make(chan error, 2*len(b.pollers))
	for i, l := range b.pollers {
		b.running.Add(1)
		go func() {
			defer b.running.Done()
			err := l.Run(func() {
				var errs []error
				for _, a := range b.acceptors[i] {
					errs = append(errs, a.Start())
				}
				started <- errors.Join(errs...)
			})
			if err != nil {
				started <- err
			}
		}()
	}
	var errs []error
	for range b.pollers {
		errs = append(errs, <-started)
	}
	err := errors.Join(errs...)
	if err != nil {
		b.Stop()
		return err
	}
	b.attachSteering()
	b.startNamespaces()
	b.lookup.activate(true)
	b.checks.Start()
	if b.admin != nil {
		b.admin.start()
	}
	return nil
}

// order is mail that runs a function on a loop.
type order struct {
	poller.Mail
	do func()
}

func (o *order) Deliver(*poller.Mail) { o.do() }

// everyLoop runs do on each loop's thread and waits for all.
func (b *Balancer) everyLoop(do func(i int)) {
	var all sync.WaitGroup
	for i, l := range b.pollers {
		all.Add(1)
		o := &order{do: func() { do(i); all.Done() }}
		o.To = o
		l.Post(&o.Mail)
	}
	all.Wait()
}

// SoftStop stops listening and lets the flows finish; Done closes when the last one has. Connections that the kernel
// already holds for us are still served.
func (b *Balancer) SoftStop() {
	b.softStop.Do(func() {
		b.stopping.Store(true)
		b.saver.last()
		if b.admin != nil { // what is connected stays so
			b.admin.stopListening()
		}
		go func() {
			b.lookup.activate(false) // what comes now is another process's, or nobody's
			stop := func(late bool) func(i int) {
				return func(i int) {
					for _, a := range b.acceptors[i] {
						if b.lookup.late(a) == late {
							a.Stop()
						}
					}
				}
			}
			b.everyLoop(stop(false))
			if b.lookup != nil {
				time.Sleep(lookupGrace)
				b.onLoops(stop(true))
			}
			b.sayStopped()
			for b.process.Flows.Value() > 0 {
				time.Sleep(10 * time.Millisecond)
			}
			b.Stop()
		}()
	})
}

// sayStopped tells for each proxy that it takes no more connections. One that the operator has shut down was told already.
func (b *Balancer) sayStopped() {
	for _, p := range b.config.Proxies {
		if !p.Disabled && !b.admin.shutDown(p) {
			text := b.stoppedText(p)
			b.say(config.Warning, text)
			b.loggers[p.Name].Message(tcplog.Warning, text)
		}
	}
}

// stoppedText is the line of a proxy that takes no more connections, with what it had.
func (b *Balancer) stoppedText(p *config.Proxy) string {
	var fe, be uint64
	if b.admin != nil && b.admin.pages[p] != nil {
		fe = b.admin.pages[p].counts.Stats.Sum(stats.Connections)
	} else if f := b.frontends[p.Name]; f != nil {
		fe = f.Stats.Sum(stats.Connections)
	}
	if x := b.backends[p.Name]; x != nil {
		be = x.Stats.Sum(stats.Sessions)
	}
	return fmt.Sprintf("Proxy %s stopped (cumulated conns: FE: %d, BE: %d).", p.Name, fe, be)
}

// flushTime bounds how long the end waits for log lines to leave.
const flushTime = 500 * time.Millisecond

// Stop cuts every flow, ends the loops, and sends the last log lines.
func (b *Balancer) Stop() {
	b.stop.Do(func() {
		b.softStop.Do(func() {}) // no soft stop may begin any more
		b.saver.last()
		if b.admin != nil {
			b.admin.close()
		}
		b.names.set.Stop()
		b.checks.Stop()
		b.spaces.stop()
		for _, l := range b.process.Loops {
			l.Cut()
		}
		for _, l := range b.pollers {
			l.Stop()
		}
		b.running.Wait()
		b.close()
		close(b.done)
	})
	<-b.done
}

// Done is closed when the balancer has ended.
func (b *Balancer) Done() <-chan struct{} { return b.done }

func (b *Balancer) close() {
	for _, ln := range b.listeners {
		ln.Close()
	}
	if b.admin != nil {
		b.admin.close()
	}
	b.lookup.close()
	b.steering.close()
	b.spaces.stop()
	b.mailers.stop()
	b.saver.close()
	b.shipper.Close(flushTime)
	if b.names != nil {
		b.names.set.Stop()
	}
	b.news.close()
	if b.redirect != nil {
		b.redirect.Close()
	}
	if b.guard != nil {
		b.guard.Close()
	}
}
