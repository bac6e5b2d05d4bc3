package backend

import (
	"fmt"
	"time"
)

// Checked takes the result of a health check. A result that comes after checks were turned off, or the server went into
// maintenance, counts for nothing. Any goroutine may call it.
func (s *Server) Checked(r CheckResult) {
	s.change(func() {
		if s.check.enabled() && s.admin&anyMaint == 0 {
			s.checked(r)
		}
	})
}

func (s *Server) checked(r CheckResult) {
	s.took(&s.check, r)
	switch r.Status.Outcome() {
	case CheckFailed:
		if s.check.health == 0 {
			s.become(Stopped, s.admin, cause{check: &r})
		}
	case CheckPassed:
		s.consecutive.Store(0)
		s.passed(Running, r)
	case CheckConditional:
		s.consecutive.Store(0)
		s.passed(Stopping, r)
	}
}

// passed lets the server up, if the other ones who judge it agree.
func (s *Server) passed(to Operation, r CheckResult) {
	if s.admin&anyMaint == 0 && s.check.agrees() && s.agent.agrees() {
		s.become(to, s.admin, cause{check: &r})
	}
}

// took moves the health by a result and tells it, where "option log-health-checks" asks for that.
func (s *Server) took(p *prober, r CheckResult) {
	last, outcome := p.last, r.Status.Outcome()
	p.last = r
	moved := false
	if p == &s.check || r.Status == CheckL7Failed || outcome != CheckFailed { // an agent that is away has said nothing
		moved = p.take(outcome)
	}
	if !s.logChecks || outcome == CheckNeutral || !moved && last.Status == r.Status {
		return
	}
	s.backend.tell(Event{Kind: EventCheck, Server: s, Severity: severityNotice, Check: r, Text: s.checkText(p, r), To: s.status()})
}

// AgentReported takes what came of one conversation with the server's agent. Any goroutine may call it.
func (s *Server) AgentReported(r AgentReport) {
	for _, part := range []func(AgentReport){s.agentOrdered, s.agentJudged} { // those who track the server see both
		s.change(func() {
			if s.agent.enabled() {
				part(r)
			}
		})
	}
}

// agentOrdered does what the agent wants for the server's administrative state, its weight and its limit.
func (s *Server) agentOrdered(r AgentReport) {
	switch r.Admin {
	case AgentReady:
		s.setAdmin(Ready)
	case AgentDrain:
		s.setAdmin(Drain)
	case AgentMaint:
		s.setAdmin(Maint)
	}
	if r.Weight >= 0 {
		weight := r.Weight
		if r.Percent {
			weight = PercentOf(s.initialWeight, r.Weight)
		}
		s.setWeight(min(weight, MaxWeight))
	}
	if r.MaxConn >= 0 {
		s.setMaxConn(r.MaxConn)
	}
}

// agentJudged takes what the agent says about the server's health.
func (s *Server) agentJudged(r AgentReport) {
	result := r.Result
	if r.Health != AgentNoHealth && result.Text == "" {
		result.Text = "via agent : " + agentWords[r.Health]
		if r.Text != "" {
			result.Text += " (" + r.Text + ")"
		}
	}
	s.took(&s.agent, result)
	switch result.Status.Outcome() {
	case CheckFailed:
		if result.Status == CheckL7Failed {
			s.become(Stopped, s.admin, cause{check: &result})
		}
	case CheckPassed:
		if s.operation != Stopping {
			s.passed(Running, result)
		}
	}
}

var agentWords = [...]string{AgentUp: "up", AgentDown: "down", AgentFailed: "fail", AgentStopped: "stopped"}

// MaxWeight is the most that a weight can be.
const MaxWeight = 256

// PercentOf is that share of a weight, rounded down as HAProxy does, for agents and operators alike: 75 % of 1 is no weight at
// all. It is MaxWeight at most.
func PercentOf(weight, percent int) int {
	return min(weight*min(percent, 100*MaxWeight)/100, MaxWeight)
}

// CheckInterval is the time until the next health check, by the state that the server is in now: "inter" when all is well,
// "downinter" when it is down for certain, "fastinter" in between. Any goroutine may call it.
func (s *Server) CheckInterval() time.Duration {
	s.backend.mu.Lock()
	defer s.backend.mu.Unlock()
	interval := s.fastInter
	switch {
	case s.check.health == s.check.most():
		interval = s.inter
	case s.check.health == 0 && s.operation == Stopped:
		interval = s.downInter
	}
	if interval == 0 {
		interval = s.inter
	}
	return interval
}

// Observe counts one connect of a flow to the server. It costs a test of a field where "observe" is off, and writes nothing
// while connects succeed. Any loop may call it.
func (s *Server) Observe(loop int, success bool) {
	switch {
	case !s.observes:
	case success:
		if s.consecutive.Load() != 0 {
			s.consecutive.Store(0)
		}
	case s.consecutive.Add(1) >= s.errorLimit:
		s.change(s.tooManyErrors)
	}
}

// Observes tells whether Observe is of any use.
func (s *Server) Observes() bool { return s.observes }

// tooManyErrors does what "on-error" says. Connects that fail while it runs have been counted by then or begin a new count.
func (s *Server) tooManyErrors() {
	n := s.consecutive.Load()
	if n < s.errorLimit || !s.check.enabled() || s.admin&anyMaint != 0 {
		return
	}
	s.consecutive.Store(0)
	s.observed++
	p := &s.check
	switch s.onError {
	case "fastinter":
		s.hasten()
		return
	case "sudden-death":
		if p.health > p.rise {
			p.health = p.rise + 1
		}
	case "mark-down":
		if p.health > p.rise {
			p.health = p.rise
		}
	}
	s.checked(CheckResult{
		Status: CheckObserved, Duration: -1,
		Text: fmt.Sprintf("Detected %d consecutive errors, last one was: L4 unsuccessful connection", n),
	})
	s.hasten()
}

func (s *Server) hasten() {
	if s.fastInter > 0 && s.OnHasten != nil {
		s.OnHasten(s.fastInter)
	}
}
