package backend

import (
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// condition is what a server's state is made of. The backend's mu guards it.
type condition struct {
	operation Operation
	admin     Flags
	check     prober
	agent     prober
	damp      damp
	away      bool // its network namespace is missing: see SetAway

	changed   time.Duration // when it last went up or down, or in or out of maintenance or drain
	stoppedAt time.Duration // when it last stopped
	downTime  time.Duration // of the downs that are over
	downs     uint64
	observed  uint64 // times that observe acted
}

// prober is a server's health as one kind of check has it.
type prober struct {
	configured, on bool
	rise, fall     int
	health         int // 0..rise+fall-1; from rise on it is up
	last           CheckResult
	failed         uint64 // failures while it was up
}

func (p *prober) enabled() bool { return p.configured && p.on }
func (p *prober) up() bool      { return p.health >= p.rise }
func (p *prober) most() int     { return p.rise + p.fall - 1 }

// agrees tells whether p has nothing against the server's being up.
func (p *prober) agrees() bool { return !p.enabled() || p.up() }

// take moves the health by one result: a failure counts down from the top until the server is down, a success up from the
// bottom until it is up; in between the other's count starts anew. It tells whether the health has moved.
func (p *prober) take(o CheckOutcome) bool {
	switch o {
	case CheckFailed:
		if p.health == 0 {
			return false
		}
		p.failed++
		if p.health--; p.health < p.rise {
			p.health = 0
		}
	case CheckPassed, CheckConditional:
		if p.health >= p.most() {
			return false
		}
		if p.health++; p.health >= p.rise {
			p.health = p.most()
		}
	default:
		return false
	}
	return true
}

// settings are what a server's states go by. They never change.
type settings struct {
	inter, fastInter, downInter time.Duration
	initState                   string
	logChecks                   bool // option log-health-checks
	shutWhenDown                bool // on-marked-down shutdown-sessions
	shutBackupsWhenUp           bool // on-marked-up shutdown-backup-sessions
	observes                    bool
	errorLimit                  uint32
	onError                     string
	host                        string // the name, for the log lines of its resolution
	onNew                       bool   // slow start also the first time
}

// defaultInter is the manual's default of "inter".
const defaultInter = 2 * time.Second

func (s *Server) configure(p *config.Proxy, c *config.Server) {
	s.settings = settings{
		inter: c.Check.Inter, fastInter: c.Check.FastInter, downInter: c.Check.DownInter,
		initState: c.InitState, logChecks: p.Options.LogHealthChecks,
		shutWhenDown: c.OnMarkedDown == "shutdown-sessions", shutBackupsWhenUp: c.OnMarkedUp == "shutdown-backup-sessions",
		observes: c.Observe != "", errorLimit: uint32(c.ErrorLimit), onError: c.OnError,
		host: c.Address.Host, onNew: c.SlowStartOnNew,
	}
	if s.inter == 0 {
		s.inter = defaultInter
	}
	if s.errorLimit == 0 {
		s.errorLimit = 10
	}
	s.check = prober{configured: c.Check.Enabled, on: true, rise: max(c.Check.Rise, 1), fall: max(c.Check.Fall, 1)}
	s.agent = prober{configured: c.Check.Agent, on: true, rise: 1, fall: 1, health: 1}
	for _, p := range []*prober{&s.check, &s.agent} {
		if p.configured {
			p.last = CheckResult{Status: CheckInitial, Duration: -1}
		}
	}
	s.damp = damp{Damping: c.Damping}
	s.changed = s.backend.clock.now()
	s.stoppedAt = s.changed
	s.operation = Running
	s.resetHealth()
	if c.Disabled {
		s.admin = ForcedMaint | ConfiguredMaint
		s.operation = Stopped
	}
	s.publish()
}

// resetHealth gives the health with which a server starts, and comes back from maintenance: up, and down at the first
// failure, unless init-state says otherwise. Called under mu.
func (s *Server) resetHealth() {
	p := &s.check
	switch s.initState {
	case "fully-up":
		p.health = p.most()
	case "down":
		p.health = p.rise - 1
	case "fully-down":
		p.health = 0
	default:
		p.health = p.rise
	}
	if s.operation != Stopped && !(p.agrees() && s.agent.agrees()) {
		s.operation = Stopped
	}
}

// cause is why a state changes, as far as a log line tells.
type cause struct {
	check *CheckResult // nil: not by a check
	said  string       // "changed from CLI", "DNS NX status"
}

// byOperator is the cause of what was asked for at run time.
var byOperator = cause{said: "changed from CLI"}

// CheckEnabled tells whether health checks are to run now: there are some, and neither the operator nor maintenance keeps them.
func (s *Server) CheckEnabled() bool {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	return s.check.enabled() && s.admin&anyMaint == 0
}

// AgentEnabled tells whether the agent is to be asked now. Maintenance does not keep it: the agent may end it.
func (s *Server) AgentEnabled() bool {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	return s.agent.enabled()
}

// SetChecksEnabled puts the operator's will about health checks through. Without them the server keeps its state; when they
// come back it is one failure from being down.
func (s *Server) SetChecksEnabled(on bool) { s.enable(&s.check, on) }

// SetAgentEnabled does the same for the agent.
func (s *Server) SetAgentEnabled(on bool) { s.enable(&s.agent, on) }

func (s *Server) enable(p *prober, on bool) {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	if on && !p.on && p.up() {
		p.health = p.rise
	}
	p.on = on
}

// SetAdmin puts the operator's will through: Maint takes the server out and those back who wait for it alone; Drain gives
// it no more flows; Ready ends both. A server that comes back from maintenance begins with slow start, if it has one.
func (s *Server) SetAdmin(a Admin) {
	s.change(func() { s.setAdmin(a) })
}

func (s *Server) setAdmin(a Admin) {
	admin := s.admin &^ (ForcedMaint | ConfiguredMaint | ForcedDrain)
	switch a {
	case Maint:
		admin |= ForcedMaint | s.admin&ConfiguredMaint
	case Drain:
		admin |= ForcedDrain
	}
	s.become(s.operation, admin, cause{})
}

// SetHealth forces the health, until checks say otherwise. It does nothing to a server that tracks another.
func (s *Server) SetHealth(h Health) {
	s.change(func() {
		switch {
		case s.tracks != nil:
		case h == HealthDown:
			s.check.health = 0
			s.become(Stopped, s.admin, byOperator)
		case h == HealthStopping:
			s.check.health = s.check.most()
			s.become(Stopping, s.admin, byOperator)
		case h == HealthUp:
			s.check.health = s.check.most()
			s.damp.forget()
			s.become(Running, s.admin, byOperator)
		}
	})
}

// SetResolved tells whether the server's name has an address; without one it is in maintenance. why is for the log lines: the
// reason if there is none ("DNS NX status"), otherwise the name that was resolved, or empty for the configured one.
func (s *Server) SetResolved(ok bool, why string) {
	again := false
	s.change(func() {
		switch {
		case !ok:
			s.become(s.operation, s.admin|ResolutionMaint, cause{said: why})
		case s.admin&ResolutionMaint != 0:
			if why != "" {
				s.host = why
			}
			s.become(s.operation, s.admin&^ResolutionMaint, cause{})
			again = s.admin&anyMaint == 0
		}
	})
	if again { // HAProxy says so after what it means for those who track the server
		s.backend.mu.Lock()
		defer s.backend.mu.Unlock()
		s.backend.tell(Event{
			Kind: EventNotice, Server: s, Severity: severityNotice, To: s.status(),
			Text: s.title() + " administratively READY thanks to valid DNS answer.",
		})
	}
}

// change runs do under mu, and then tells those who track the server, if its state is another now.
func (s *Server) change(do func()) {
	b := s.backend
	b.mu.Lock()
	before := s.published.Load()
	b.cause = cause{}
	if !s.absent {
		do()
	}
	why, changed := b.cause, s.published.Load() != before
	b.mu.Unlock()
	if changed {
		s.tellFollowers(why)
	}
}

// become is every change of state. It takes the server through what the new state asks of the algorithm, the queue, the flows
// and the log. Called under mu.
func (s *Server) become(op Operation, admin Flags, why cause) {
	before, was := s.condition, s.status()
	wasMaint, isMaint := before.admin&anyMaint != 0, admin&anyMaint != 0
	s.admin = admin
	switch {
	case isMaint:
		op = Stopped
	case wasMaint: // it comes back: with its checks' and its tracked server's consent
		op = Running
		if s.tracks != nil {
			op = s.tracked()
		} else {
			s.operation = Running
			s.resetHealth()
			op = s.operation
		}
	}
	if s.away {
		op = Stopped
	}
	if op == Running && before.operation == Starting && !wasMaint {
		op = Starting
	}
	if op == Running && before.operation == Stopped && !isMaint && s.damped(wasMaint) {
		op = Stopped
	}
	rises := op == Running && before.operation == Stopped && s.slowStart > 0
	if rises {
		op = Starting
	}
	s.operation = op
	if before.operation == s.operation && before.admin == s.admin {
		return
	}
	now := s.backend.clock.now()
	wasUp, isUp := before.operation != Stopped, op != Stopped
	switch {
	case wasUp && !isUp:
		s.downs++
		s.stoppedAt = now
	case !wasUp && isUp:
		s.downTime += now - s.stoppedAt
	}
	if before.admin != admin || before.operation != Starting || op != Running {
		s.changed = now
	}
	if rises {
		s.rising.Store(max(int64(now), 1))
		s.scheduleRise()
	} else if op == Stopped {
		s.rising.Store(0)
	}
	s.backend.cause = why
	s.publish()
	moved := s.apply()
	s.backend.say(s, before, was, why, moved) // before the flows end, which it counts
	if wasUp && !isUp && s.shutWhenDown {
		s.shut('D')
	}
	if !wasUp && isUp && s.shutBackupsWhenUp && s.group == &s.backend.active && s.effectiveWeight() > 0 {
		for _, x := range s.backend.backup.servers {
			x.shut('U')
		}
	}
	if wasUp != isUp && !isMaint && !wasMaint {
		s.noteChange()
	}
}

func (s *Server) shut(why byte) {
	if to := s.backend.Sessions; to != nil && s.Served() > 0 {
		to.ShutServer(s, why)
	}
}

// publish lets those see the state who do not hold mu. Called under mu.
func (s *Server) publish() { s.published.Store(uint32(s.operation) | uint32(s.admin)<<8) }

func (s *Server) operationNow() Operation { return Operation(s.published.Load()) }
func (s *Server) adminNow() Flags         { return Flags(s.published.Load() >> 8) }

// serves tells whether a server in this state may be given new flows.
func serves(op Operation, admin Flags) bool {
	return admin&(anyMaint|anyDrain) == 0 && (op == Running || op == Starting)
}

// Usable tells whether the server may be given new flows, as far as it is concerned. Any goroutine may call it.
func (s *Server) Usable() bool { return serves(s.operationNow(), s.adminNow()) && s.weight.Load() > 0 }

// InMaintenance tells whether the server is in maintenance, for whatever reason.
func (s *Server) InMaintenance() bool { return s.adminNow()&anyMaint != 0 }
