package lb

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// process is one run of the program, from its arguments to its exit code. Its steps, each in a function of its own:
//
//  1. read the command line, change the directory, answer what needs no configuration
//  2. read the configuration (processload.go); with -c say whether it can be used, and end
//  3. go to the background if asked to (daemon.go)
//  4. get the limits (limits.go), open every socket, open the pid file
//  5. give privileges up (privileges.go)
//  6. start the loops, say so to whoever waits (daemon.go, service.go), and obey signals until the end (signals.go)
type process struct {
	*commandLine
	arguments []string // with the program's name
	stdout    io.Writer
	messages  *messages
	env       *config.Env // what the configuration saw, and left behind
	child     *background // nil in the foreground
}

// Main runs sluice with the arguments of the command line, the program's name first, and gives the exit code: that of
// HAProxy in the same situation where there is one. It may be called once in a process.
func Main(arguments []string, stdout, stderr io.Writer) int {
	p := &process{arguments: arguments, stdout: stdout, messages: newMessages(stderr)}
	p.child, _ = inBackground()
	var err error
	if p.commandLine, err = parseCommandLine(arguments[1:]); err != nil {
		p.alert(err)
		if _, misused := err.(usageError); misused {
			writeUsage(stderr)
		}
		return 1
	}
	return p.run()
}

// alert shows an error, or each of several that were joined.
func (p *process) alert(err error) {
	if joined, many := err.(interface{ Unwrap() []error }); many {
		for _, one := range joined.Unwrap() {
			p.alert(one)
		}
		return
	}
	p.messages.say(config.Alert, "%v", err)
}

func (p *process) run() int {
	switch {
	case p.help:
		writeUsage(p.stdout)
		return 0
	case p.versionLong:
		writeVersionLong(p.stdout)
		return 0
	case p.version:
		writeVersion(p.stdout)
		return 0
	}
	p.messages.diag = p.diagnostics
	p.messages.setQuiet(p.quiet && !p.loud())
	if p.directory != "" {
		if err := os.Chdir(p.directory); err != nil {
			p.messages.say(config.Alert, "could not change to directory %s : %v", p.directory, cause(err))
			return 1
		}
	}
	if p.evaluate {
		return p.evaluateCondition()
	}
	if p.keywords {
		writeKeywords(p.stdout)
		if len(p.files) == 0 {
			return 0
		}
	}
	if len(p.files) == 0 {
		p.messages.say(config.Alert, "no configuration file: name one with -f")
		writeUsage(p.messages.out)
		return 1
	}
	return p.runConfiguration()
}

// loud tells whether the flags undo -q and the keyword "quiet".
func (p *process) loud() bool { return p.verbose || p.debug }

// foregroundForced tells whether the flags undo -D and the keyword "daemon".
func (p *process) foregroundForced() bool { return p.debug || p.foreground }

func (p *process) evaluateCondition() int {
	holds, err := config.EvaluateLine(p.condition, p.environment())
	switch {
	case err != nil:
		p.messages.say(config.Alert, "config : failed to evaluate condition '%s': %v", p.condition, err)
		return 2
	case holds:
		return 0
	}
	return 1
}

// runConfiguration reads the configuration and does with it what the flags say.
func (p *process) runConfiguration() int {
	only := p.check || p.dump
	if p.daemon && !only && !p.foregroundForced() && p.child == nil {
		return p.toBackground() // before anything is read: the child may be given a pipe to read
	}
	cfg, ok := p.load()
	if !ok {
		return 1
	}
	if p.dump {
		return p.writeConfiguration(cfg)
	}
	if p.check {
		return p.verdict(cfg)
	}
	if !listens(cfg) {
		p.messages.say(config.Alert, "config : no enabled frontend or listen has a 'bind' line: nothing to do")
		return 1
	}
	if cfg.Global.Daemon && !p.foregroundForced() && p.child == nil {
		if path, all := rereadable(p.files); !all {
			p.messages.say(config.Alert, "'daemon' needs configuration files that can be read twice, and '%s' is not one; use -D", path)
			return 1
		}
		return p.toBackground()
	}
	if p.memoryMebibytes > 0 {
		debug.SetMemoryLimit(p.memoryMebibytes << 20)
	}
	return p.serve(cfg)
}

func (p *process) toBackground() int {
	code, err := detach(p.arguments)
	if err != nil {
		p.alert(err)
	}
	return code
}

// listens tells whether a configuration has something to listen on.
func listens(cfg *config.Config) bool {
	for _, proxy := range cfg.Proxies {
		if !proxy.Disabled && len(proxy.Binds) > 0 {
			return true
		}
	}
	return false
}

// serve opens, starts and runs a balancer until it ends.
func (p *process) serve(cfg *config.Config) int {
	manager := newServiceManager(p.messages) // before chroot hides its socket
	opened, err := p.prepare(cfg)
	if err != nil {
		p.alert(err)
		manager.failure(err)
		return 1
	}
	signals := watchSignals() // before the pid file invites others to send some
	balancer := opened.balancer
	manager.balancer = balancer
	if err := opened.start(p.child); err != nil {
		p.alert(err)
		manager.failure(err)
		return 1
	}
	p.messages.started()
	manager.ready()
	o := operator{
		balancer: balancer,
		status: func() []string {
			return balancer.logStatus(append(statusLines(balancer.Snapshot()), nameLines(balancer.Names(), time.Now())...))
		},
		messages: p.messages,
		stopping: manager.stopping,
		grace:    cfg.Global.Grace,
		hardStop: cfg.Global.HardStopAfter,
		after:    time.After,
	}
	return o.run(signals)
}

// opened is all that must be opened before privileges are given up.
type opened struct {
	balancer *Balancer
	pidFile  *os.File // nil: none
	null     *os.File // what a process in the background has as standard streams
}

// prepare opens everything and gives the privileges up that the process was started with.
func (p *process) prepare(cfg *config.Config) (o opened, err error) {
	who, err := newIdentity(cfg)
	if err != nil {
		return o, err
	}
	planned, err := p.limits(cfg)
	if err != nil {
		return o, err
	}
	if o.null, err = openNull(); err != nil {
		return o, err
	}
	if o.balancer, err = Open(cfg, Options{
		MaxConnOverride: planned.MaxConn, Pipes: planned.Pipes,
		Say:         func(severity config.Severity, text string) { p.messages.say(severity, "%s", text) },
		StartupLogs: p.messages.startup, Environment: p.env.Lookup,
	}); err != nil {
		return o, err
	}
	if path := p.pidPath(cfg); path != "" {
		if o.pidFile, err = openPIDFile(path); err != nil {
			return o, err
		}
	}
	if os.Geteuid() == 0 && who.uid == 0 {
		p.messages.say(config.Notice, "running as root; 'user' and 'group' in the 'global' section change that once the sockets are open")
	}
	if os.Geteuid() != 0 && spoofs(cfg) {
		p.messages.say(config.Warning, "'usesrc' needs CAP_NET_RAW, and this process was not started as root: connections to such servers may fail")
	}
	return o, who.assume()
}

// start lets the balancer run and then tells the world: the pid file, and whoever waits for the child in the background.
func (o *opened) start(child *background) error {
	if err := o.balancer.Start(); err != nil {
		return err
	}
	if o.pidFile != nil {
		if err := writePID(o.pidFile); err != nil {
			o.balancer.Stop()
			return err
		}
	}
	if child == nil {
		return o.null.Close()
	}
	if err := child.finish(o.null); err != nil {
		o.balancer.Stop()
		return fmt.Errorf("cannot go to the background: %w", err)
	}
	return nil
}

// pidPath is where the process's id goes: always with -p, and with the keyword, as with HAProxy, from the background only.
func (p *process) pidPath(cfg *config.Config) string {
	if p.pidFile == "" && p.child != nil {
		return cfg.Global.PIDFile
	}
	return p.pidFile
}

// limits gets the limits that the configuration needs from the system.
func (p *process) limits(cfg *config.Config) (limits, error) {
	loops := cfg.Global.Threads
	if loops == 0 {
		loops = DefaultLoops()
	}
	planned, err := applyLimits(newDemand(cfg, p.maxConn, loops), systemRlimit)
	if err != nil {
		if cfg.Global.StrictLimits {
			return planned, err
		}
		p.messages.say(config.Warning, "%v", err)
	}
	if planned.Derived && p.loud() {
		fmt.Fprintf(p.messages.out, "Note: setting global.maxconn to %d.\n", planned.MaxConn)
	}
	return planned, nil
}
