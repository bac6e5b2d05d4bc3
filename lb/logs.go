package lb

import (
	"os"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// openLogs makes the process's own logger.
func (b *Balancer) openLogs() error {
	var err error
	b.logger, err = b.newLogger(b.config.Global.Logs, b.config.Global.LogTag)
	return err
}

// proxyLogger makes the logger of a proxy; nil if it has no log lines.
func (b *Balancer) proxyLogger(p *config.Proxy) (*tcplog.Logger, error) {
	tag := p.LogTag
	if tag == "" {
		tag = b.config.Global.LogTag
	}
	return b.newLogger(p.Logs, tag)
}

func (b *Balancer) newLogger(logs []config.LogTarget, tag string) (*tcplog.Logger, error) {
	if len(logs) == 0 {
		return nil, nil
	}
	g := &b.config.Global
	targets := make([]tcplog.Target, len(logs))
	for i, c := range logs {
		t := tcplog.Target{
			Network: c.Network, Address: c.Address, FD: c.FD, Length: c.Length, Format: c.Format, Facility: c.Facility,
			Level: c.Level, MinLevel: c.MinLevel,
		}
		if c.Sample != nil {
			t.SampleRanges, t.SampleSize = c.Sample.Ranges, c.Sample.Size
		}
		targets[i] = t
	}
	o := tcplog.LoggerOptions{Targets: targets, Tag: tag}
	if g.SendHostname {
		if o.Hostname = g.LogSendHostname; o.Hostname == "" {
			o.Hostname, _ = os.Hostname()
		}
	}
	logger, err := b.shipper.Logger(o)
	if err != nil {
		return nil, at(logs[0].Pos, "log: %w", err)
	}
	return logger, nil
}
