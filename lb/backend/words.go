package backend

import (
	"fmt"
	"strings"
	"time"
)

// The lines are worded as HAProxy's are, because people's alerts match them. Where a moment brings several, their order is
// HAProxy's too.

// tell hands an event out. Called under mu.
func (b *Backend) tell(e Event) {
	if b.OnEvent == nil || !b.started {
		return
	}
	e.Backend = b
	b.OnEvent(e)
}

// title is how a line begins.
func (s *Server) title() string {
	kind := "Server "
	if s.group == &s.backend.backup {
		kind = "Backup Server "
	}
	return kind + s.backend.Name + "/" + s.Name
}

// via names the tracked server.
func (s *Server) via() string {
	if s.tracks == nil {
		return ""
	}
	return " via " + s.tracks.backend.Name + "/" + s.tracks.Name
}

// checkText is the line of a health check's result.
func (s *Server) checkText(p *prober, r CheckResult) string {
	who, backup, result := "Health", "", "failed"
	if p == &s.agent {
		who = "Agent"
	}
	if s.group == &s.backend.backup {
		backup = "backup "
	}
	switch r.Status.Outcome() {
	case CheckPassed:
		result = "succeeded"
	case CheckConditional:
		result = "conditionally succeeded"
	}
	state := "DOWN"
	if p.up() {
		if state = "UP"; s.weight.Load() == 0 {
			state = "DRAIN"
		}
	}
	return fmt.Sprintf("%s check for %sserver %s/%s %s%s, status: %s %s.",
		who, backup, s.backend.Name, s.Name, result, reason(r), fraction(p.health, p.rise, p.fall), state)
}

// reason tells what a check saw.
func reason(r CheckResult) string {
	text := ", reason: " + r.Status.Text()
	if r.Status.coded() {
		text += fmt.Sprintf(", code: %d", r.Code)
	}
	if r.Text != "" {
		text += `, info: "` + escape(r.Text) + `"`
	}
	if r.Duration >= 0 {
		text += fmt.Sprintf(", check duration: %dms", r.Duration/time.Millisecond)
	}
	return text
}

// escape writes what is not printable ASCII, quotes and the brackets themselves in hexadecimal.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '<' || c == '>' {
			fmt.Fprintf(&b, "<%02X>", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// why is the part of a line that tells why the operation has changed. What a check saw is not told twice.
func (s *Server) why(c cause) string {
	switch {
	case s.away && c.check != nil: // no check has told this
		return reason(*c.check)
	case s.tracks != nil:
		return s.via()
	case c.check != nil && !s.logChecks:
		return reason(*c.check)
	case c.said != "":
		return ", " + c.said
	}
	return ""
}

// left is the end of a line about a server that came or went, of whose waiters so many were moved.
func (s *Server) left(moved int) string {
	b, running := s.backend, ""
	if b.active.usable == 0 && b.backup.usable > 0 {
		running = " Running on backup."
	}
	if s.operation == Stopped {
		return fmt.Sprintf(". %d active and %d backup servers left.%s %d sessions active, %d requeued, %d remaining in queue.",
			b.active.usable, b.backup.usable, running, s.Served(), moved, s.Queued())
	}
	return fmt.Sprintf(". %d active and %d backup servers online.%s %d sessions requeued, %d total in queue.",
		b.active.usable, b.backup.usable, running, moved, s.Queued())
}

// upDown is the operation as lines about something else mention it.
func (s *Server) upDown() string {
	if s.operation == Stopped {
		return "DOWN"
	}
	return "UP"
}

// say tells the change of s from before to its present state. Called under mu.
func (b *Backend) say(s *Server, before condition, was Status, why cause, moved int) {
	if b.OnEvent != nil && b.started {
		e := Event{Kind: EventAdmin, Server: s, Severity: severityNotice, From: was, To: s.status()}
		if why.check != nil {
			e.Check = *why.check
		}
		switch wasMaint, isMaint := before.admin&anyMaint != 0, s.admin&anyMaint != 0; {
		case wasMaint && isMaint:
			s.sayStillMaint(e, before.admin)
		case isMaint:
			s.sayMaint(e, before, why, moved)
		case wasMaint:
			s.sayReady(e, before.admin)
		default:
			s.sayOperation(e, before, why, moved)
			s.sayDrain(e, before, moved)
		}
	}
	b.settle()
}

func (s *Server) sayMaint(e Event, before condition, why cause, moved int) {
	because := ""
	if why.said != "" {
		because = " (" + why.said + ")"
	}
	because += s.viaIf(s.admin & InheritedMaint)
	if before.operation == Stopped {
		e.Text = s.title() + " was DOWN and now enters maintenance" + because + "."
	} else {
		e.Severity = severityAlert
		e.Text = s.title() + " is going DOWN for maintenance" + because + s.left(moved)
	}
	s.backend.tell(e)
}

// viaIf names the tracked server if the flag came from it.
func (s *Server) viaIf(inherited Flags) string {
	if inherited == 0 {
		return ""
	}
	return s.via()
}

func (s *Server) sayReady(e Event, before Flags) {
	state := "READY"
	if s.admin&anyDrain != 0 {
		state = "DRAIN"
	}
	state = s.upDown() + "/" + state
	switch {
	case before&ResolutionMaint != 0:
		e.Text = fmt.Sprintf("%s ('%s') is %s (resolves again).", s.title(), s.host, state)
	case before&ForcedMaint != 0:
		e.Text = fmt.Sprintf("%s is %s (leaving forced maintenance).", s.title(), state)
	default:
		e.Text = fmt.Sprintf("%s is %s (leaving maintenance).", s.title(), state)
	}
	s.backend.tell(e)
	if s.admin&anyDrain != 0 {
		s.sayStillDrain(e)
	}
}

// sayStillDrain reminds that the server drains although something else about it has changed.
func (s *Server) sayStillDrain(e Event) {
	e.Kind, e.Severity = EventAdmin, severityNotice
	if s.admin&ForcedDrain != 0 {
		e.Text = s.title() + " remains in forced drain mode."
	} else {
		e.Text = s.title() + " is leaving forced drain but remains in drain mode" + s.via() + "."
	}
	s.backend.tell(e)
}

func (s *Server) sayStillMaint(e Event, before Flags) {
	switch gone := before &^ s.admin; {
	case gone&ForcedMaint != 0:
		e.Text = s.title() + " is leaving forced maintenance but remains in maintenance" + s.viaIf(s.admin&InheritedMaint) + "."
	case gone&ResolutionMaint != 0:
		e.Text = fmt.Sprintf("%s ('%s') resolves again but remains in maintenance%s.", s.title(), s.host, s.viaIf(s.admin&InheritedMaint))
	case gone&InheritedMaint != 0:
		e.Text = s.title() + " remains in forced maintenance."
	default:
		return
	}
	s.backend.tell(e)
}

func (s *Server) sayOperation(e Event, before condition, why cause, moved int) {
	if before.operation == s.operation || before.operation == Starting && s.operation == Running {
		return
	}
	e.Kind = EventState
	switch s.operation {
	case Stopped:
		e.Text = " is DOWN"
		if before.admin&anyDrain == 0 && before.operation != Stopping {
			e.Severity = severityAlert
		}
	case Stopping:
		e.Text = " is stopping"
	default:
		e.Text = " is UP"
	}
	e.Text = s.title() + e.Text + s.why(why) + s.left(moved)
	s.backend.tell(e)
	if before.admin&anyDrain != 0 && s.admin&anyDrain != 0 {
		s.sayStillDrain(e)
	}
}

func (s *Server) sayDrain(e Event, before condition, moved int) {
	switch was, is := before.admin&anyDrain, s.admin&anyDrain; {
	case was == 0 && is != 0:
		e.Text = s.title() + " enters drain state" + s.viaIf(is&InheritedDrain) + s.left(moved)
	case was != 0 && is == 0:
		e.Text = s.title() + " is " + s.upDown() + " (leaving forced drain)."
	case was != is:
		s.sayStillDrain(e)
		return
	default:
		return
	}
	s.backend.tell(e)
}

// settle tells what a change means for the backend as a whole. Called under mu, after the change has been told.
func (b *Backend) settle() {
	usable, now := b.usable(), b.clock.now()
	if was := b.lastUsable; (was > 0) != (usable > 0) {
		if usable > 0 {
			b.downTime += now - b.changed
		} else if b.started {
			b.downs++
			kind := "backend"
			if b.listen {
				kind = "proxy"
			}
			b.tell(Event{Kind: EventBackendDown, Severity: severityEmergency, Text: fmt.Sprintf("%s %s has no server available!", kind, b.Name)})
		}
		b.changed = now
	}
	b.lastUsable = usable
	b.sayPanic()
}

// sayPanic tells when the panic threshold begins to reign and when it ends.
func (b *Backend) sayPanic() {
	panics := b.inPanic()
	if panics == b.panics {
		return
	}
	b.panics = panics
	a := &b.active
	e := Event{Kind: EventPanic, Severity: severityAlert, Text: fmt.Sprintf(
		"Backend %s panics: %d of %d active servers are usable, less than %d%%: all of them are used.",
		b.Name, a.usable, a.wanted, b.panicThreshold)}
	if !panics {
		e.Severity = severityNotice
		e.Text = fmt.Sprintf("Backend %s no longer panics: %d of %d active servers are usable.", b.Name, a.usable, a.wanted)
	}
	b.tell(e)
}
