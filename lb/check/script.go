package check

import (
	"strconv"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// script is what is done in one check. It is made once and only read then.
type script struct {
	steps []step

	okStatus backend.CheckStatus // when all steps went well, unless the last one says otherwise
	okText   string
	// located: texts name the step, "at step 3 of tcp-check". HAProxy does so for option tcp-check only.
	located bool

	// parts: the server is about to close once it has answered, and is let (exchange.part).
	parts bool

	connectTime time.Duration // limit of each connect
	answerTime  time.Duration // limit of all that follows it; 0: connectTime is for both
}

// step is one thing to do. do returns false when the check is decided, with its outcome in x.result. last: no step follows.
type step struct {
	do      func(x *exchange, s *step, last bool) bool
	number  int    // of the line in the configuration, from 1; 0: HAProxy's own first connect
	what    string // "connect port 80", "expect string 'foo'", for texts; empty: nothing is said of it
	comment string
	timeout backend.CheckStatus // after the connect; CheckUnknown: L7TOUT
}

func (s *step) timeoutStatus() backend.CheckStatus {
	if s.timeout == backend.CheckUnknown {
		return backend.CheckL7Timeout
	}
	return s.timeout
}

// where says at which step something happened, for a text that begins with what happened.
func (sc *script) where(s *step) string {
	if !sc.located {
		return ""
	}
	if s.number == 0 {
		return " at initial connection step of tcp-check"
	}
	text := " at step " + strconv.Itoa(s.number) + " of tcp-check"
	if s.what != "" {
		text += " (" + s.what + ")"
	}
	if s.comment != "" {
		text += " comment: '" + s.comment + "'"
	}
	return text
}

// check makes one check and tells its result, unless it was stopped.
type check func(p *probe, tell func(backend.CheckResult))

// healthCheck makes what a server's health check does.
func (s *Server) healthCheck(p *config.Proxy, cfg *config.Server) (check, error) {
	if p.Health.Kind == config.CheckExternal {
		return newExternal(s, p, cfg), nil
	}
	sc, err := newScript(p, cfg)
	if err != nil {
		return nil, err
	}
	return func(p *probe, tell func(backend.CheckResult)) {
		x := newExchange(s, sc, s.target.Load(), p.yield)
		defer x.leave()
		if !p.hold(x) {
			return
		}
		x.run()
		x.result.Duration = time.Since(x.began)
		if p.decided() {
			tell(x.result)
		}
		x.part(p.interval)
		p.release()
	}, nil
}

// newScript makes the script of a backend for one server.
func newScript(p *config.Proxy, cfg *config.Server) (*script, error) {
	sc := &script{okStatus: backend.CheckL7OK}
	sc.limits(p, cfg.Check.Inter)
	h := &p.Health
	switch h.Kind {
	case config.CheckConnect:
		sc.okStatus = backend.CheckL4OK
		sc.steps = []step{{do: (&connectStep{standard: true}).do}}
	case config.CheckTCP, config.CheckHTTP:
		sc.parts = h.Kind == config.CheckHTTP
		if err := sc.fromRules(h); err != nil {
			return nil, err
		}
	default:
		sc.builtIn(h)
	}
	return sc, nil
}

// limits sets the time limits as the manual says at "timeout check": where it is set, a connect may take the shorter one of
// "timeout connect" and the interval, and what follows the check's own time; otherwise the interval is for all of it.
func (sc *script) limits(p *config.Proxy, interval time.Duration) {
	sc.connectTime = interval
	if sc.answerTime = p.Timeouts.Check; sc.answerTime > 0 && p.Timeouts.Connect > 0 {
		sc.connectTime = min(interval, p.Timeouts.Connect)
	}
}
