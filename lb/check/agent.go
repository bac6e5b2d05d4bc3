package check

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// newAgentProbe makes the check that asks a server's agent: the manual, 5.2, "agent-check".
func newAgentProbe(s *Server, p *config.Proxy, cfg *config.Server) *probe {
	s.agentInter = cfg.Check.AgentInter
	s.SetAgentSend(cfg.Check.AgentSend)
	run := func(p *probe) { s.ask(s.conversation.Load(), p, s.server.AgentReported) }
	interval := func() time.Duration { return cfg.Check.AgentInter }
	return &probe{server: s, run: run, interval: interval, enabled: s.server.AgentEnabled}
}

// SetAgentSend changes what the agent is told, from the next conversation on; empty: nothing. Any goroutine may call it.
func (s *Server) SetAgentSend(text string) {
	sc := &script{okStatus: backend.CheckNoted, parts: true}
	sc.limits(s.proxy, s.agentInter)
	// The agent's connections are not the server's: no PROXY header, no SOCKS4.
	sc.steps = []step{{do: (&connectStep{}).do}}
	if text != "" {
		sc.say([]byte(text))
	}
	e := &expectation{judge: judgeAgent}
	sc.steps = append(sc.steps, step{do: e.do})
	s.conversation.Store(sc)
}

// ask makes one conversation with the agent, and tells what came of it, unless it was stopped.
func (s *Server) ask(sc *script, p *probe, tell func(backend.AgentReport)) {
	x := newExchange(s, sc, s.agentTarget.Load(), p.yield)
	defer x.leave()
	if !p.hold(x) {
		return
	}
	x.run()
	report := backend.AgentReport{Weight: -1, MaxConn: -1, Result: x.result}
	if x.result.Status == backend.CheckNoted {
		line, _ := agentLine(x.response, true)
		report = parseAgent(line)
		report.Result.Text = report.Result.Text[:min(len(report.Result.Text), longestText)]
	}
	report.Result.Duration = time.Since(x.began)
	if p.decided() {
		tell(report)
	}
	x.part(p.interval)
	p.release()
}

// judgeAgent wants a line. One that is cut off by the end of the connection counts: many agents are a shell's echo -n.
func judgeAgent(x *exchange, data []byte, final bool) verdict {
	_, complete := agentLine(data, final)
	switch {
	case complete && len(data) > 0:
		return met
	case final:
		return x.refuse(backend.CheckL7Invalid, "")
	}
	return undecided
}

// agentLine is what an agent said, up to the first CR or LF.
func agentLine(data []byte, final bool) (string, bool) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return string(data[:i]), true
	}
	return string(data), final
}

// parseAgent understands an agent's words, which stand between blanks and commas, in any order; of two that contradict each
// other, the later one holds. What follows a "#" explains. Words that are none are told as an error, and the others hold.
func parseAgent(line string) backend.AgentReport {
	r := backend.AgentReport{Weight: -1, MaxConn: -1}
	r.Result.Status = backend.CheckNoted
	unknown, said := "", ""
	for rest := line; rest != ""; {
		rest = strings.TrimLeft(rest, " \t,")
		if after, ok := strings.CutPrefix(rest, "#"); ok {
			r.Text = strings.TrimSpace(after)
			break
		}
		end := strings.IndexAny(rest, " \t,")
		if end < 0 {
			end = len(rest)
		}
		word := rest[:end]
		rest = rest[end:]
		if word == "" {
			continue
		}
		if !takeWord(&r, strings.ToLower(word)) {
			if unknown == "" {
				unknown = word
			}
		} else if r.Health != backend.AgentNoHealth && healthWords[strings.ToLower(word)] != backend.AgentNoHealth {
			said = word
		}
	}
	switch r.Health {
	case backend.AgentNoHealth:
	case backend.AgentUp:
		r.Result.Status = backend.CheckL7OK
	default:
		r.Result.Status = backend.CheckL7Failed
	}
	switch {
	case unknown != "":
		r.Result.Text = "agent reports an error : " + unknown
	case said != "":
		r.Result.Text = "via agent : " + said
		if r.Text != "" {
			r.Result.Text += " (" + r.Text + ")"
		}
	}
	return r
}

var healthWords = map[string]backend.AgentHealth{
	"up": backend.AgentUp, "down": backend.AgentDown, "fail": backend.AgentFailed, "stopped": backend.AgentStopped,
}

var adminWords = map[string]backend.AgentAdmin{
	"ready": backend.AgentReady, "drain": backend.AgentDrain, "maint": backend.AgentMaint,
}

// takeWord puts one word into the report; false: it is none.
func takeWord(r *backend.AgentReport, word string) bool {
	if health, ok := healthWords[word]; ok {
		r.Health = health
		return true
	}
	if admin, ok := adminWords[word]; ok {
		r.Admin = admin
		return true
	}
	if digits, ok := strings.CutPrefix(word, "maxconn:"); ok {
		n, err := strconv.ParseUint(digits, 10, 31)
		if err == nil {
			r.MaxConn = int(n)
		}
		return err == nil
	}
	digits, ok := strings.CutSuffix(word, "%")
	if !ok {
		return false
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	if err == nil {
		r.Weight, r.Percent = int(n), true
	}
	return err == nil
}
