package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// healthGlobalKeywords are those of the global section that are about checks and states.
func healthGlobalKeywords() []Keyword {
	return []Keyword{
		{Name: "spread-checks", Sections: InGlobal, Syntax: "<0..50>", Unit: "percent", Default: "0", Summary: "Random share by which the time between two health checks is longer or shorter.", Example: "spread-checks 5",
			minimum: 1, maximum: 1, behaviour: number(func(t target) *int { return &t.global.SpreadChecks }, 0, 50, 0)},
		{Name: "max-spread-checks", Sections: InGlobal, Syntax: "<time>", Unit: "ms", Default: "the shortest `inter` of all servers", Summary: "Time at the start over which the first checks of all servers are spread, at most.", Example: "max-spread-checks 1s",
			minimum: 1, maximum: 1, behaviour: span(func(t target) *time.Duration { return &t.global.MaxSpreadChecks }, time.Millisecond, 0)},
		{Name: "external-check", Sections: InGlobal, Syntax: "[preserve-env]", Default: "off", Summary: "Allows `option external-check`. With `preserve-env` the programs get the environment of sluice too.", Example: "external-check",
			maximum: 1, behaviour: behaviour{parse: parseExternalCheck, print: printExternalCheck}},
		{Name: "insecure-fork-wanted", Sections: InGlobal, Default: "off", Summary: "Allows that programs are run at all. Without it every external check fails.", Example: "insecure-fork-wanted",
			negatable: true, behaviour: toggle(func(t target) *bool { return &t.global.InsecureForkWanted }, false)},
		{Name: "server-state-base", Sections: InGlobal, Syntax: "<directory>", Default: "the current directory", Summary: "Directory of state files whose names do not begin with a slash.", Example: "server-state-base /var/lib/sluice",
			minimum: 1, maximum: 1, once: true, behaviour: text(func(t target) *string { return &t.global.StateBase })},
		{Name: "server-state-file", Sections: InGlobal, Syntax: "<file>", Summary: "File with the states of the servers of all proxies with `load-server-state-from-file global`.", Example: "server-state-file states",
			minimum: 1, maximum: 1, once: true, behaviour: text(func(t target) *string { return &t.global.StateFile })},
		{Name: "server-state-save", Sections: InGlobal, Syntax: "[every <time>]", Unit: "ms", Default: "off",
			Summary: "**Extension.** sluice writes `server-state-file` itself: when it starts, when it is told to stop, and with `every` also in between, so that a process that is started beside it finds a fresh file. The file is replaced at once as a whole, and kept if the new one cannot be written. " +
				"Its directory must be writable for `user`; it is opened before `chroot`, and so may lie outside. Only processes whose configurations have the same servers should share a file.",
			Example: "server-state-save every 10s", maximum: 2, behaviour: behaviour{parse: parseStateSave, print: printStateSave}},
	}
}

func parseStateSave(s *statement) {
	if len(s.args) > 0 {
		if _, ok := s.one(0, "every"); !ok {
			return
		}
		if len(s.args) < 2 {
			s.alert("'every' needs a time")
			return
		}
		every, ok := s.duration(1, time.Millisecond)
		if !ok {
			return
		}
		if every < time.Second {
			s.alert("expects a time of at least 1s, not '%s'", s.text(1))
			return
		}
		s.global.StateSaveEvery = every
	}
	s.global.StateSave = true
}

func printStateSave(p *printer) {
	switch g := p.global; {
	case g.StateSaveEvery > 0:
		p.write("every", FormatDuration(g.StateSaveEvery))
	case g.StateSave:
		p.write()
	}
}

func parseExternalCheck(s *statement) {
	if len(s.args) > 0 {
		if _, ok := s.one(0, "preserve-env"); !ok {
			return
		}
		s.global.PreserveEnvironment = true
	}
	s.global.ExternalCheck = true
}

func printExternalCheck(p *printer) {
	switch g := p.global; {
	case g.PreserveEnvironment:
		p.write("preserve-env")
	case g.ExternalCheck:
		p.write()
	}
}

// stateKeywords are those of proxies about the state of their servers.
func stateKeywords() []Keyword {
	return []Keyword{
		{Name: "load-server-state-from-file", Sections: inBackends, Syntax: "global | local | none", Default: "none", Summary: "Servers start in the state that a file gives: the one of `server-state-file`, or the proxy's own.", Example: "load-server-state-from-file global",
			minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.proxy.LoadState }, "none", "global", "local", "none")},
		{Name: "server-state-file-name", Sections: inBackends, Syntax: "[use-backend-name | <file>]", Default: "the proxy's name", Summary: "The proxy's own state file, for `load-server-state-from-file local`.", Example: "server-state-file-name db.state",
			maximum: 1, behaviour: behaviour{parse: parseStateFileName, print: text(func(t target) *string { return &t.proxy.StateFile }).print}},
		{Name: "retry-on", Sections: inBackends, Syntax: "conn-failure | none | <event>...", Default: "conn-failure",
			Summary: "What is tried again: a failed connection (`conn-failure`, or `all-retryable-errors` which includes it), or nothing. The events of HTTP that HAProxy knows (`503`, `empty-response`, ...) are a warning: they do not happen in TCP.",
			Example: "retry-on none", minimum: 1, maximum: -1, behaviour: behaviour{parse: parseRetryOn, print: printRetryOn}},
		{Name: "force-persist", Sections: InListen | InBackend, Syntax: "[if TRUE | unless FALSE]", Default: "off",
			Summary: "A connection stays with the server that was chosen for it, whatever becomes of the server: attempts to connect go there again and are never redispatched, and when the server goes down, what waits for it goes on waiting. " +
				"A server that is down is still never chosen anew, since nothing but the choice binds a connection to a server here (there are no cookies and stick tables). Without a condition is an extension: HAProxy wants one.",
			Example: "force-persist", maximum: -1, strict: true, behaviour: always(func(p *Proxy) *bool { return &p.ForcePersist })},
		{Name: "ignore-persist", Sections: InListen | InBackend, Syntax: "[if TRUE | unless FALSE]", Default: "off",
			Summary: "What binds a connection to a server, beyond the choice made by `balance`, is ignored. Without a condition is an extension: HAProxy wants one.",
			Example: "ignore-persist", Effect: Later, reason: "nothing but 'balance' binds a connection to a server yet", maximum: -1, strict: true,
			behaviour: always(func(p *Proxy) *bool { return &p.IgnorePersist })},
		{Name: "panic-threshold", Sections: inBackends, Syntax: "<0..100>%", Default: "0% (off)",
			Summary: "**Extension.** When fewer of the proxy's servers than this share are up, connections go to all that are not in maintenance, whether they are up or not: that what is left is not crushed, and that a fault of the checks does not stop everything. The log says when it begins and ends. Backup servers do not count.",
			Example: "panic-threshold 30%", minimum: 1, maximum: 1, behaviour: behaviour{parse: parsePanicThreshold, print: printPanicThreshold}},
	}
}

func parseStateFileName(s *statement) {
	s.proxy.StateFile = s.text(0)
	if s.text(0) == "use-backend-name" {
		s.proxy.StateFile = ""
	}
}

// httpRetries are the events of retry-on that need a look into HTTP, or TLS.
var httpRetries = []string{"empty-response", "junk-response", "response-timeout", "0rtt-rejected",
	"401", "403", "404", "408", "425", "429", "500", "501", "502", "503", "504"}

// parseRetryOn reads what HAProxy 2.6 does in mode tcp: a failed connection is retried if, and only if, the words say so.
func parseRetryOn(s *statement) {
	connects := false
	var ignored []string
	for _, word := range s.args {
		switch {
		case word.Text == "none" && len(s.args) > 1:
			s.alert("'none' stands alone")
			return
		case word.Text == "none":
		case word.Text == "conn-failure":
			connects = true
		case word.Text == "all-retryable-errors":
			connects = true
		case slices.Contains(httpRetries, word.Text):
			ignored = append(ignored, word.Text)
		default:
			s.unknownWord(word.Text, "conn-failure", "none", "all-retryable-errors")
			return
		}
	}
	s.proxy.NoRetry = !connects
	switch {
	case len(ignored) > 0 && !connects:
		s.warn("%s cannot happen in TCP, and without 'conn-failure' nothing is tried again", quoteAll(ignored))
	case len(ignored) > 0:
		s.warn("%s cannot happen in TCP", quoteAll(ignored))
	}
}

func printRetryOn(p *printer) {
	if p.proxy.NoRetry {
		p.write("none")
	}
}

// always sets a bool if the condition, where there is one, always holds.
func always(at func(*Proxy) *bool) behaviour {
	return behaviour{
		parse: func(s *statement) {
			switch condition := strings.Join(s.texts(), " "); condition {
			case "", "if TRUE", "unless FALSE":
				*at(s.proxy) = true
			default:
				s.alert("with a condition %s, only 'if TRUE' and 'unless FALSE' are, not '%s'", notYet, condition)
			}
		},
		print: func(p *printer) {
			if *at(p.proxy) {
				p.write("if", "TRUE")
			}
		},
	}
}

func parsePanicThreshold(s *statement) {
	digits, ok := strings.CutSuffix(s.text(0), "%")
	n, err := strconv.ParseUint(digits, 10, 8)
	if !ok || err != nil || n > 100 {
		s.alert("expects a share from 0%% to 100%%, not '%s'", s.text(0))
		return
	}
	s.proxy.PanicThreshold = int(n)
}

func printPanicThreshold(p *printer) {
	if n := p.proxy.PanicThreshold; n > 0 {
		p.write(strconv.Itoa(n) + "%")
	}
}

// emailKeywords are "email-alert ..." and what mailers sections hold.
func emailKeywords() []Keyword {
	address := func(word, what, example string, at func(*EmailAlert) *string) Keyword {
		b := text(func(t target) *string { return at(&t.proxy.EmailAlert) })
		return Keyword{Name: "email-alert " + word, Sections: inProxies, Syntax: "<" + what + ">", Example: "email-alert " + word + " " + example, minimum: 1, maximum: 1, behaviour: behaviour{
			parse: func(s *statement) {
				if strings.ContainsAny(s.text(0), "\r\n<> ") {
					s.alert("has a character that cannot be in it: '%s'", s.text(0))
					return
				}
				s.proxy.EmailAlert.Pos = s.pos
				b.parse(s)
			}, print: b.print}}
	}
	mailers := address("mailers", "name", "ops", func(e *EmailAlert) *string { return &e.Mailers })
	mailers.Summary = "Section of mail servers that get a message when the state of a server changes. Takes effect with `email-alert from` and `email-alert to`."
	from := address("from", "address", "lb@example.org", func(e *EmailAlert) *string { return &e.From })
	from.Summary = "Sender of the messages."
	to := address("to", "address", "ops@example.org", func(e *EmailAlert) *string { return &e.To })
	to.Summary = "Receiver of the messages."
	host := address("myhostname", "name", "lb1.example.org", func(e *EmailAlert) *string { return &e.MyHostname })
	host.Summary, host.Default = "Name by which this machine greets the mail servers.", "the system's name"
	level := Keyword{Name: "email-alert level", Sections: inProxies, Syntax: "<level>", Default: "alert", Summary: "The least severe level of log lines that are sent: emerg, alert, crit, err, warning, notice, info or debug. A server that goes down is an alert, one that comes up a notice, a check's result (with `option log-health-checks`) info.",
		Example: "email-alert level notice", minimum: 1, maximum: 1, behaviour: choice(func(t target) *string { return &t.proxy.EmailAlert.Level }, "alert", levels...)}
	level.print = func(p *printer) {
		if word := p.proxy.EmailAlert.Level; word != "" && word != "alert" {
			p.write(word)
		}
	}
	return []Keyword{mailers, from, to, host, level}
}
