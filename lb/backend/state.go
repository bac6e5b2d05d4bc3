package backend

import (
	"time"
)

// Checked takes the result of a health check. Any goroutine may call it.
func (s *Server) Checked(r CheckResult) {}

// AgentReported takes what came of one conversation with the server's agent. Any goroutine may call it.
func (s *Server) AgentReported(r AgentReport) {}

// CheckInterval is the time until the next health check, by the state that the server is in now.
func (s *Server) CheckInterval() time.Duration { return 2 * time.Second }

// CheckEnabled tells whether health checks are to run now: there are some, and neither the operator nor maintenance keeps them.
func (s *Server) CheckEnabled() bool { return true }

// AgentEnabled is CheckEnabled for the agent.
func (s *Server) AgentEnabled() bool { return true }

// Observe counts one connect of a flow to the server. It costs a test of a field where "observe" is off.
func (s *Server) Observe(loop int, success bool) {}

// SetChecksEnabled puts the operator's will about health checks through.
func (s *Server) SetChecksEnabled(on bool) {}

// SetAgentEnabled puts the operator's will about the agent through.
func (s *Server) SetAgentEnabled(on bool) {}

// SetAdmin changes the administrative state.
func (s *Server) SetAdmin(a Admin) {}

// SetHealth forces the health, until checks say otherwise.
func (s *Server) SetHealth(h Health) {}

// SetResolved tells whether the server's name has an address. Without one it is in maintenance. why is for the log line.
func (s *Server) SetResolved(ok bool, why string) {}

// Follow makes the server take over t's state: "track". It refuses loops.
func (s *Server) Follow(t *Server) error { return nil }

// Status is the server's state now.
func (s *Server) Status() Status { return Status{} }

// Usable tells whether the server may be given new flows, as far as it is concerned.
func (s *Server) Usable() bool { return s.effectiveWeight() > 0 }
