package lb

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/statefile"
)

// The states with which servers start, from the files that HAProxy's manual describes with "load-server-state-from-file". They
// are read before anything is opened: a server's last address may come from there ("init-addr last"). They are applied once
// the backends stand and before they are used (staterestore.go).
//
// As in HAProxy a server is found by the names of its backend and itself, and ids are only compared; of several entries for
// one server the first counts; an entry that makes no sense is left out with a warning, and so is a whole file that is damaged.

// savedStates are the entries that are for servers of the configuration.
type savedStates struct {
	entries  map[*config.Server]*statefile.Entry
	complain func(severity config.Severity, text string)
	known    map[string]map[string]*config.Server // of the backends that load a state, by names
	proxies  map[string]*config.Proxy
	refused  map[*config.Server]bool // one complaint for each is enough: a damaged file may have many entries for it
}

// openStates reads the state files, and has servers with "init-addr last" start at the addresses there.
func (b *Balancer) openStates(complain func(config.Severity, string)) {
	b.states = readStates(b.config, complain)
	b.lastAddress = b.states.lastAddress
}

// readStates reads the state files of cfg. What is wrong with them is no reason not to start: complain is told.
func readStates(cfg *config.Config, complain func(config.Severity, string)) *savedStates {
	s := &savedStates{
		entries: make(map[*config.Server]*statefile.Entry), complain: complain,
		known: make(map[string]map[string]*config.Server), proxies: make(map[string]*config.Proxy),
		refused: make(map[*config.Server]bool),
	}
	global := false
	for _, p := range cfg.Proxies {
		if p.Disabled || p.Kind&config.Backend == 0 || p.LoadState != "global" && p.LoadState != "local" {
			continue
		}
		s.proxies[p.Name], s.known[p.Name] = p, make(map[string]*config.Server)
		for _, server := range p.Servers {
			s.known[p.Name][server.Name] = server
		}
		if p.LoadState == "global" {
			global = true
			continue
		}
		s.readLocal(p, statePath(&cfg.Global, p.StateFile))
	}
	if global && cfg.Global.StateFile != "" {
		s.readGlobal(statePath(&cfg.Global, cfg.Global.StateFile), cfg.Global.StateSave)
	}
	if cfg.Global.StateSave && cfg.Global.StateFile == "" {
		s.complain(config.Warning, "'server-state-save' has no effect without 'server-state-file'")
	}
	return s
}

// statePath is where a state file lies.
func statePath(g *config.Global, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(g.StateBase, name)
}

// readGlobal reads the file for all backends. expected: its absence is none of the operator's doing.
func (s *savedStates) readGlobal(path string, expected bool) {
	entries, problems, err := readState(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && expected:
		s.complain(config.Notice, fmt.Sprintf("there is no server state file '%s' yet", path))
		return
	case err != nil:
		s.complain(config.Warning, fmt.Sprintf("global server state file '%s' is not used: %v", path, err))
		return
	}
	wanted := func(backend string) bool { p := s.proxies[backend]; return p != nil && p.LoadState == "global" }
	for i, e := range entries {
		if server := s.known[e.Backend][e.Server]; server != nil && wanted(e.Backend) {
			s.add(s.proxies[e.Backend], server, &entries[i])
		}
	}
	for _, problem := range problems {
		if wanted(problem.Backend) {
			s.refuse(problem)
		}
	}
}

// readLocal reads the file of one backend.
func (s *savedStates) readLocal(p *config.Proxy, path string) {
	entries, problems, err := readState(path)
	if err != nil {
		s.complain(config.Warning, fmt.Sprintf("Proxy '%s': server state file '%s' is not used: %v", p.Name, path, err))
		return
	}
	others := make(map[string]bool)
	for i, e := range entries {
		server := s.known[p.Name][e.Server]
		switch {
		case e.Backend != p.Name && !others[e.Backend]:
			others[e.Backend] = true
			s.complain(config.Warning, fmt.Sprintf("Proxy '%s': backend name mismatch: from server state file: '%s', from running config '%s'", p.Name, e.Backend, p.Name))
		case e.Backend != p.Name:
		case server == nil:
			s.complain(config.Warning, fmt.Sprintf("Proxy '%s': can't find server '%s' in backend '%s'", p.Name, e.Server, p.Name))
		default:
			s.add(p, server, &entries[i])
		}
	}
	for _, problem := range problems {
		if problem.Backend == p.Name {
			s.refuse(problem)
		}
	}
}

func readState(path string) ([]statefile.Entry, []statefile.Problem, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, cause(err)
	}
	defer file.Close()
	return statefile.Parse(file)
}

// add notes an entry for a server, unless there is one.
func (s *savedStates) add(p *config.Proxy, server *config.Server, e *statefile.Entry) {
	if s.entries[server] != nil {
		return
	}
	// Numbers that nobody gave change with the order of the sections, and are other ones in HAProxy: only those that somebody
	// gave on either side are worth a word.
	if (e.BackendIDForced || p.IDGiven) && e.BackendID != p.ID {
		s.complain(config.Warning, fmt.Sprintf("Proxy '%s': backend ID mismatch: from server state file: '%d', from running config '%d'", p.Name, e.BackendID, p.ID))
	}
	if (e.ServerIDForced || server.IDGiven) && e.ServerID != server.ID {
		s.complain(config.Warning, fmt.Sprintf("Proxy '%s': server '%s' has another ID: from server state file: '%d', from running config '%d'", p.Name, server.Name, e.ServerID, server.ID))
	}
	if server.SRV() && e.SRVRecord != "" && !sameName(e.SRVRecord, server.Address.Host) {
		s.complain(config.Warning, fmt.Sprintf("server-state application failed for server '%s/%s', SRV record mismatch between configuration ('%s') and state file ('%s')", p.Name, server.Name, server.Address.Host, e.SRVRecord))
		return
	}
	s.entries[server] = e
}

func (s *savedStates) refuse(problem statefile.Problem) {
	if server := s.known[problem.Backend][problem.Server]; server != nil && !s.refused[server] {
		s.refused[server] = true
		s.complain(config.Warning, fmt.Sprintf("server-state application failed for server '%s/%s', %s", problem.Backend, problem.Server, problem.Text))
	}
}

// sameName compares names of hosts, where a final dot says nothing.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// lastAddress is what "init-addr last" gives a server: the address that its name had when the file was written. The port that
// counts is the configured one, which may have been changed since. False: the file knows none, or one of another name.
func (s *savedStates) lastAddress(_ *config.Proxy, server *config.Server) (netip.Addr, bool) {
	e := s.entries[server]
	if e == nil || !e.Address.IsValid() || e.Name != "" && !sameName(e.Name, server.Address.Host) {
		return netip.Addr{}, false
	}
	return e.Address, true
}
