package backend

import (
	"strconv"
	"time"
)

// CheckStatus is what a check ended with. Names and texts are those of HAProxy's management guide, 9.1, "check_status" and
// "check_desc": alerts match them.
type CheckStatus uint8

// The statuses.
const (
	CheckUnknown     CheckStatus = iota // nothing is known
	CheckInitial                        // the first check is still to come
	CheckNoted                          // an agent answered and said nothing about health
	CheckSocketError                    // no socket was to be had
	CheckL4OK                           // a connection was made, and no more was asked for
	CheckL4Timeout                      // it was not made in time
	CheckL4Failed                       // it was refused, or there is no way
	CheckL6OK
	CheckL6Timeout
	CheckL6Invalid
	CheckL7OK
	CheckL7Conditional // 404 with disable-on-404
	CheckL7Timeout
	CheckL7Invalid // what came is no answer
	CheckL7Failed  // the answer is "no"
	CheckProcessError
	CheckProcessTimeout
	CheckProcessOK
	CheckObserved // the flows' own connects failed: "observe"
	checkStatuses
)

// CheckOutcome is what a check means for the health of its server.
type CheckOutcome uint8

// The outcomes.
const (
	CheckNeutral     CheckOutcome = iota // says nothing
	CheckPassed                          //
	CheckConditional                     // passed, but the server wants no new flows
	CheckFailed                          //
)

var checkStatusTable = [checkStatuses]struct {
	name, text string
	outcome    CheckOutcome
}{
	CheckUnknown:        {"UNK", "Unknown", CheckNeutral},
	CheckInitial:        {"INI", "Initializing", CheckNeutral},
	CheckNoted:          {"CHECKED", "No status change", CheckNeutral},
	CheckSocketError:    {"SOCKERR", "Socket error", CheckFailed},
	CheckL4OK:           {"L4OK", "Layer4 check passed", CheckPassed},
	CheckL4Timeout:      {"L4TOUT", "Layer4 timeout", CheckFailed},
	CheckL4Failed:       {"L4CON", "Layer4 connection problem", CheckFailed},
	CheckL6OK:           {"L6OK", "Layer6 check passed", CheckPassed},
	CheckL6Timeout:      {"L6TOUT", "Layer6 timeout", CheckFailed},
	CheckL6Invalid:      {"L6RSP", "Layer6 invalid response", CheckFailed},
	CheckL7OK:           {"L7OK", "Layer7 check passed", CheckPassed},
	CheckL7Conditional:  {"L7OKC", "Layer7 check conditionally passed", CheckConditional},
	CheckL7Timeout:      {"L7TOUT", "Layer7 timeout", CheckFailed},
	CheckL7Invalid:      {"L7RSP", "Layer7 invalid response", CheckFailed},
	CheckL7Failed:       {"L7STS", "Layer7 wrong status", CheckFailed},
	CheckProcessError:   {"PROCERR", "External check error", CheckFailed},
	CheckProcessTimeout: {"PROCTOUT", "External check timeout", CheckFailed},
	CheckProcessOK:      {"PROCOK", "External check passed", CheckPassed},
	CheckObserved:       {"HANA", "Health analyze", CheckFailed},
}

// Name is the short form that "show stat" has: "L4CON".
func (c CheckStatus) Name() string { return checkStatusTable[c].name }

// Text is the long form that log lines have: "Layer4 connection problem".
func (c CheckStatus) Text() string { return checkStatusTable[c].text }

// Outcome is what the status means for the server.
func (c CheckStatus) Outcome() CheckOutcome { return checkStatusTable[c].outcome }

// ParseCheckStatus finds the status with the given name, such as "L7OK".
func ParseCheckStatus(name string) (CheckStatus, bool) {
	for i, s := range checkStatusTable {
		if s.name == name {
			return CheckStatus(i), true
		}
	}
	return CheckUnknown, false
}

// coded tells the statuses that come with a code in log lines.
func (c CheckStatus) coded() bool {
	return c >= CheckL7OK && c <= CheckProcessOK && c != CheckL7Timeout && c != CheckL7Invalid
}

// CheckResult is what one check saw.
type CheckResult struct {
	Status   CheckStatus
	Code     int    // of HTTP, SMTP, or of a process's end; 0: none
	Text     string // details: the reason of an error, or what the server answered; not escaped
	Duration time.Duration
}

// AgentAdmin is an agent's wish for its server's administrative state.
type AgentAdmin uint8

// The wishes.
const (
	AgentNoAdmin AgentAdmin = iota
	AgentReady
	AgentDrain
	AgentMaint
)

// AgentHealth is what an agent says of its server's health.
type AgentHealth uint8

// The words.
const (
	AgentNoHealth AgentHealth = iota
	AgentUp
	AgentDown
	AgentFailed
	AgentStopped
)

// AgentReport is what came of one conversation with an agent. A part that was not said has its zero value, or -1.
type AgentReport struct {
	Result  CheckResult // Status: L7OK for up, L7STS for down, failed and stopped, CheckNoted for neither; or why there was no conversation
	Weight  int         // -1: none said
	Percent bool        // Weight is percent of the configured weight; otherwise absolute
	MaxConn int         // -1: none said
	Admin   AgentAdmin
	Health  AgentHealth
	Text    string // its explanation after "#", if any
}

// Admin is the operator's will for a server.
type Admin uint8

// What SetAdmin can be told.
const (
	Ready Admin = iota
	Drain
	Maint
)

// Health is what SetHealth can force.
type Health uint8

// The forced healths.
const (
	HealthDown Health = iota
	HealthStopping
	HealthUp
)

// EventKind tells what an event is about.
type EventKind uint8

// The kinds.
const (
	EventCheck       EventKind = iota // "option log-health-checks": a result that was new
	EventState                        // a server went up, down, or is stopping
	EventAdmin                        // maintenance or drain began or ended
	EventBackendDown                  // the last usable server has gone; Server is nil
	EventDamped                       // a server is kept down because it changed too often
	EventPanic                        // the panic threshold's reign began or ended
	EventNotice                       // anything else that is worth a line
)

// Event is a change that is logged. Events of one backend come in their order, under its lock: the receiver must neither
// call back nor block.
type Event struct {
	Kind     EventKind
	Backend  *Backend
	Server   *Server     // nil for what concerns the backend
	Text     string      // the whole line
	Severity int         // syslog's, 0 (emergency) to 7
	Check    CheckResult // that brought it about, if one did
	From, To Status      // of the server; of EventCheck only To
}

// Syslog's severities, RFC 5424, 6.2.1, as far as they are used.
const (
	severityEmergency = 0
	severityAlert     = 1
	severityWarning   = 4
	severityNotice    = 5
	severityInfo      = 6
)

// MailSeverity is the severity by which "email-alert level" decides; -1: not mailed at all.
func (e Event) MailSeverity() int {
	switch e.Kind {
	case EventCheck:
		return severityInfo
	case EventBackendDown:
		return -1
	}
	return e.Severity
}

// Sessions ends flows by their server: for "on-marked-down shutdown-sessions" and "on-marked-up shutdown-backup-sessions".
type Sessions interface {
	// ShutServer ends the flows that hold a slot of s: on their loops, later. why is the first letter of their termination
	// state, 'D' (the server went down) or 'U' (a better one came up). It must not block.
	ShutServer(s *Server, why byte)
}

// Operation is what a server's health comes to, apart from its administrative state.
type Operation uint8

// The operations.
const (
	Stopped  Operation = iota // DOWN
	Starting                  // UP, in slow start
	Running                   // UP
	Stopping                  // NOLB: up, and no new flows
)

// Flags are reasons for maintenance and drain; several may hold at once.
type Flags uint8

// The reasons.
const (
	ForcedMaint     Flags = 1 << iota // by the operator, the agent, or "disabled"
	InheritedMaint                    // the tracked server is in maintenance
	ResolutionMaint                   // the name has no address
	ConfiguredMaint                   // beside ForcedMaint: "disabled" in the configuration
	ForcedDrain                       // by the operator or the agent
	InheritedDrain                    // the tracked server drains

	anyMaint = ForcedMaint | InheritedMaint | ResolutionMaint
	anyDrain = ForcedDrain | InheritedDrain
)

// Status is a server's state at one moment.
type Status struct {
	Text      string // "UP", "UP 1/3", "DOWN", "DOWN 1/2", "DOWN (agent)", "NOLB", "DRAIN", "MAINT", "MAINT (via b/s)", "MAINT (resolution)", "no check"...
	Operation Operation
	Admin     Flags
	Usable    bool // may be given new flows, as far as it is concerned

	Checked          bool // has health checks, and they are on
	Health           int  // 0..Rise+Fall-1; from Rise on it is up
	Rise, Fall       int
	Check            CheckResult
	Away             bool // its network namespace is missing; Check says so
	Agented          bool // has an agent that is asked
	AgentHealth      int
	AgentRise        int
	AgentFall        int
	Agent            CheckResult
	Damped           time.Duration // how long it is still kept down for having changed too often; 0: it is not
	SlowStart        int           // percent that slow start has come to; 100: it is over
	Weight           int           // configured or set
	InitialWeight    int
	SinceChange      time.Duration // since it last went up or down
	DownTime         time.Duration // in all
	FailedChecks     uint64        // while it was up
	Downs            uint64        // UP to DOWN
	ObservedFailures uint64        // times that "observe" acted
}

// String is the status's text.
func (s Status) String() string { return s.Text }

// fraction is "n/m" of a health between its two ends.
func fraction(health, rise, fall int) string {
	if health >= rise {
		return strconv.Itoa(health-rise+1) + "/" + strconv.Itoa(fall)
	}
	return strconv.Itoa(health) + "/" + strconv.Itoa(rise)
}
