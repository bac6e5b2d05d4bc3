package lb

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/mail"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// emailAlerts sends mail about the servers of the proxies that have "email-alert" lines.
type emailAlerts struct {
	proxies map[*config.Proxy]*proxyAlerts // never changes
}

type proxyAlerts struct {
	sender *mail.Sender
	level  int // the least severe that is sent: syslog's number
}

// severityWords are syslog's, by their numbers.
var severityWords = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}

// openMailers makes the senders. Addresses are resolved here, while names can be.
func (b *Balancer) openMailers() error {
	b.mailers = &emailAlerts{proxies: make(map[*config.Proxy]*proxyAlerts)}
	sections := make(map[string][]*mail.Mailer)
	timeouts := make(map[string]*config.Mailers)
	var errs []error
	used := func(name string) bool {
		return slices.ContainsFunc(b.config.Proxies, func(p *config.Proxy) bool { return !p.Disabled && p.EmailAlert.Mailers == name })
	}
	for _, section := range b.config.Mailers {
		if !used(section.Name) {
			continue
		}
		timeouts[section.Name] = section
		for _, m := range section.Mailers {
			address, err := resolve(m.Address)
			if err != nil {
				errs = append(errs, at(m.Pos, "mailer '%s': %w", m.Name, err))
				continue
			}
			network, text := "tcp", address.String()
			if address.IsUnix() {
				network, text = "unix", address.Path
			}
			sections[section.Name] = append(sections[section.Name], mail.NewMailer(m.Name, network, text))
		}
	}
	for _, p := range b.config.Proxies {
		section := timeouts[p.EmailAlert.Mailers]
		if p.Disabled || section == nil {
			continue
		}
		host := p.EmailAlert.MyHostname
		if host == "" {
			var err error
			if host, err = os.Hostname(); err != nil {
				host = "localhost"
			}
		}
		logger, name := b.loggers[p.Name], p.Name
		b.mailers.proxies[p] = &proxyAlerts{
			level: slices.Index(severityWords, p.EmailAlert.Level),
			sender: mail.NewSender(mail.Options{
				Mailers: sections[section.Name], Timeout: section.Timeout, From: p.EmailAlert.From, To: p.EmailAlert.To,
				Hostname: host, Program: "sluice " + Version,
				Tell: func(text string) {
					text = fmt.Sprintf("Proxy %s: %s.", name, text)
					logger.Message(tcplog.Warning, text)
					b.say(config.Warning, text)
				},
			}),
		}
	}
	return errors.Join(errs...)
}

// start has the events from now on mailed.
func (a *emailAlerts) start(b *Balancer) {
	if len(a.proxies) > 0 {
		b.OnHealth(a.event)
	}
}

// event is called under the backend's lock.
func (a *emailAlerts) event(p *config.Proxy, e backend.Event) {
	to := a.proxies[p]
	if to == nil {
		return
	}
	if severity := e.MailSeverity(); severity >= 0 && severity <= to.level {
		to.sender.Send(e.Text)
	}
}

// stop lets the mail that waits leave, all proxies' at once, for as long as the last log lines get.
func (a *emailAlerts) stop() {
	if a == nil {
		return
	}
	var all sync.WaitGroup
	for _, p := range a.proxies {
		all.Go(func() { p.sender.Stop(flushTime) })
	}
	all.Wait()
}
