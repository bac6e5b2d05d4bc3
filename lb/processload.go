package lb

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// environment is what the configuration sees of the process's environment, and the variables that HAProxy adds
// (configuration manual, section 2.3).
func (p *process) environment() *config.Env {
	env := config.NewEnv(os.Environ())
	peer := p.localPeer
	if peer == "" {
		peer, _ = os.Hostname()
	}
	for name, value := range map[string]string{
		"HAPROXY_LOCALPEER": peer,
		"HAPROXY_CFGFILES":  strings.Join(p.files, ";"),
	} {
		if err := env.Set(name, value); err != nil {
			panic(err) // the names are fine
		}
	}
	return env
}

// loadOptions is what the configuration is checked with.
var loadOptions = config.LoadOptions{
	CheckLogFormat: func(format string, env *config.Env) error {
		_, err := tcplog.ParseFormat(format, env.Lookup)
		return err
	},
	CheckLogJSON: func(items []string, env *config.Env) error {
		_, err := tcplog.ParseJSON(items, env.Lookup)
		return err
	},
}

// load reads and validates the configuration, shows all complaints, and applies the flags that go before keywords. It gives
// false when the configuration cannot be used.
func (p *process) load() (*config.Config, bool) {
	files, problems := readFiles(p.files)
	for _, problem := range problems {
		p.messages.say(config.Alert, "config : %v", problem)
	}
	if len(problems) > 0 {
		return nil, false
	}
	p.env = p.environment()
	cfg, found := config.Load(files, p.env, loadOptions)
	if cfg != nil {
		p.override(cfg)
		p.messages.setQuiet((p.quiet || cfg.Global.Quiet) && !p.loud())
		found = append(found, Check(cfg)...)
		if _, err := newIdentity(cfg); err != nil {
			found = append(found, config.Diagnostic{Severity: config.Alert, Text: err.Error()})
		}
	}
	if p.leavesToChild(cfg, found) {
		return cfg, true
	}
	for _, d := range found {
		p.messages.report(d)
	}
	switch {
	case cfg == nil || failed(found):
		p.messages.say(config.Alert, "config : Fatal errors found in configuration.")
		return nil, false
	case cfg.Global.ZeroWarning && p.messages.warned() > 0:
		p.messages.say(config.Alert, "config : Some warnings were found and 'zero-warning' is set. Aborting.")
		return nil, false
	}
	return cfg, true
}

// failed tells whether one of the complaints rules the configuration out.
func failed(found []config.Diagnostic) bool {
	return slices.ContainsFunc(found, func(d config.Diagnostic) bool { return d.Severity == config.Alert })
}

// leavesToChild tells whether this process only learned that it must go to the background, where the configuration is
// read again: then the child is the one to show its complaints.
func (p *process) leavesToChild(cfg *config.Config, found []config.Diagnostic) bool {
	return cfg != nil && cfg.Global.Daemon && !p.foregroundForced() && p.child == nil && !p.check && !p.dump && !failed(found) && listens(cfg)
}

// override applies the flags that have a keyword. It changes the configuration before anyone else sees it.
func (p *process) override(cfg *config.Config) {
	g := &cfg.Global
	if p.localPeer != "" {
		g.LocalPeer = p.localPeer
	}
	g.ZeroWarning = g.ZeroWarning || p.zeroWarning
	g.NoSplice = g.NoSplice || p.noSplice
	g.NoReusePort = g.NoReusePort || p.noReusePort
	g.NoGetAddrInfo = g.NoGetAddrInfo || p.noGetAddrInfo
	for _, proxy := range cfg.Proxies {
		if p.proxyMaxConn > 0 && proxy.Kind&config.Frontend != 0 && proxy.MaxConn == 0 {
			proxy.MaxConn = p.proxyMaxConn
		}
		for _, server := range proxy.Servers {
			if p.lenientDNS && !slices.Contains(server.InitAddr, "none") {
				if len(server.InitAddr) == 0 {
					server.InitAddr = []string{"last", "libc"}
				}
				server.InitAddr = append(slices.Clip(server.InitAddr), "none")
			}
		}
	}
}

// verdict ends a run with -c.
func (p *process) verdict(cfg *config.Config) int {
	if !listens(cfg) {
		if !p.messages.quiet {
			fmt.Fprintln(p.stdout, "Configuration file has no error but will not start (no listener) => exit(2).")
		}
		return 2
	}
	if p.loud() {
		if p.messages.warned() > 0 {
			fmt.Fprintln(p.stdout, "Warnings were found.")
		}
		fmt.Fprintln(p.stdout, "Configuration file is valid")
	}
	return 0
}

// writeConfiguration ends a run with -dC.
func (p *process) writeConfiguration(cfg *config.Config) int {
	if err := config.Print(p.stdout, cfg); err != nil {
		p.alert(fmt.Errorf("cannot write the configuration: %w", err))
		return 1
	}
	return 0
}
