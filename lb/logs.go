package lb

import (
	"errors"
	"os"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// openRings makes the rings, which log lines may name. Without live, only what can be found wrong without them is looked for.
func (b *Balancer) openRings(live bool) error {
	var errs []error
	for _, r := range b.config.Rings {
		o := tcplog.BufferOptions{
			Name: r.Name, Description: r.Description, Format: r.Format, MaxLine: r.MaxLen, Size: r.Size, BackingFile: r.BackingFile,
			ConnectTimeout: r.TimeoutConnect, WriteTimeout: r.TimeoutServer, Tell: func(text string) { b.say(config.Warning, text) },
		}
		for _, s := range r.Servers {
			address, err := resolve(s.Address)
			if err != nil {
				errs = append(errs, at(s.Pos, "ring '%s' : server '%s': %w", r.Name, s.Name, err))
				continue
			}
			server := tcplog.BufferServer{Name: s.Name, Network: "tcp", Address: address.String(), OctetCounting: s.OctetCount}
			if address.IsUnix() {
				server.Network, server.Address = "unix", address.Path
			}
			o.Servers = append(o.Servers, server)
		}
		if !live {
			o.Servers, o.BackingFile = nil, ""
		}
		ring, err := b.shipper.Buffer(o)
		if err != nil {
			errs = append(errs, at(r.Pos, "ring '%s' : %w", r.Name, err))
			continue
		}
		b.rings = append(b.rings, ring)
	}
	return errors.Join(errs...)
}

// openLogs makes the process's own logger and those of the proxies.
func (b *Balancer) openLogs() error {
	logger, err := b.newLogger(b.config.Global.Logs, tcplog.LoggerOptions{Tag: b.config.Global.LogTag, JSON: b.config.Global.LogJSON})
	b.logger = logger
	errs := []error{err}
	for _, p := range b.config.Proxies {
		tag := p.LogTag
		if tag == "" {
			tag = b.config.Global.LogTag
		}
		b.loggers[p.Name], err = b.newLogger(p.Logs, tcplog.LoggerOptions{Tag: tag, JSON: p.LogJSON, Proxy: p.Name})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (b *Balancer) newLogger(logs []config.LogTarget, o tcplog.LoggerOptions) (*tcplog.Logger, error) {
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
	o.Targets = targets
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
