package lb

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
)

// refusal is an answer to the operator, in HAProxy's words: a whole sentence, unlike errors that are wrapped.
type refusal string

func (r refusal) Error() string { return string(r) }

// AddServer adds a server to p. What the configuration has read for the others at start is done for one here, in the same order: its
// line, its address, how flows and checks get there, whom it tracks; only then is it seen. The texts are HAProxy's where people
// may match them.
func (a *administration) AddServer(p *admin.Proxy, words []string) (notices []string, err error) {
	a.changing.Lock()
	defer a.changing.Unlock()
	fb := a.backends[p.Name]
	switch {
	case len(words) > 0 && slices.ContainsFunc(fb.Servers(), func(s *backend.Server) bool { return s.Name == words[0] }):
		return nil, refusal("Already exists a server with the same name in backend.")
	case fb.Direct != nil:
		return nil, refusal("Backend must choose among servers to support dynamic servers: it has 'dispatch' or 'option transparent'.")
	}
	c, found := a.config.Added(p.Proxy, words, func(proxy, name string) *config.Server {
		if s := a.serverNamed(proxy + "/" + name); s != nil {
			return s.Config
		}
		return nil
	})
	for _, d := range found {
		if c == nil && d.Severity == config.Alert {
			return nil, errors.New(d.Text)
		}
		notices = append(notices, d.Text)
	}
	if err := a.identify(fb.Servers(), c); err != nil {
		return nil, err
	}
	if source := c.Source; source != nil && source.UseSource != "" && !a.maySpoof() {
		return nil, errors.New("'source usesrc' needs a privilege that this process has given up, since no server had it when it was started")
	}
	if len(c.InitAddr) == 0 { // as there: only name servers, or the operator, give it an address
		c.InitAddr = []string{"none"}
	}
	target, err := newTarget(a.config, p.Proxy, c, initialNames{spaces: a.spaces})
	if err != nil {
		return nil, err
	}
	serves := !c.Disabled && !target.Unresolved
	var made *backend.Server
	s, err := fb.Add(c, serves, func(s *backend.Server) error {
		made = s
		flow.SetTarget(s, target)
		if c.Track != "" {
			if err := s.Follow(a.serverNamed(c.Track)); err != nil {
				return err
			}
		}
		return a.checks.add(fb.Backend, s, p.Proxy, target)
	})
	if err != nil {
		a.checks.remove(made)
		return nil, err
	}
	a.spaces.join(s)
	if target.Unresolved {
		s.SetResolved(false, "")
		if !c.Disabled {
			s.SetAdmin(backend.Ready)
		}
	}
	if c.Resolvers != "" && c.Address.Host != "" {
		if err := a.names.add(p.Proxy, s); err != nil {
			notices = append(notices, err.Error())
		}
	}
	return notices, nil
}

// identify gives c the lowest id that is free, or sees to it that the one that it has is, and its guid.
func (a *administration) identify(servers []*backend.Server, c *config.Server) error {
	taken := make([]bool, len(servers)+2)
	for _, s := range servers {
		if s.ID == c.ID {
			return refusal(fmt.Sprintf("'id' : custom id %d already used ('server %s').", c.ID, s.Name))
		}
		if s.ID < len(taken) {
			taken[s.ID] = true
		}
	}
	if c.ID == 0 {
		for c.ID = 1; taken[c.ID]; c.ID++ {
		}
	}
	if c.GUID == "" {
		return nil
	}
	for _, p := range a.config.Proxies {
		used := p.GUID == c.GUID
		if fb := a.backends[p.Name]; fb != nil {
			used = used || slices.ContainsFunc(fb.Servers(), func(s *backend.Server) bool { return s.Config.GUID == c.GUID })
		}
		if used {
			return refusal(fmt.Sprintf("'guid' : '%s' is already used.", c.GUID))
		}
	}
	return nil
}

// RemoveServer removes a server that is in maintenance and that nothing needs.
func (a *administration) RemoveServer(s *backend.Server) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	if err := s.Backend().Remove(s); err != nil {
		return err
	}
	a.checks.remove(s)
	a.names.remove(s)
	a.spaces.leave(s)
	return nil
}

// capNetRaw is CAP_NET_RAW (capabilities(7)).
const capNetRaw = 13

// maySpoof tells whether the process may connect from addresses that are not its own. One whose status cannot be read, in a chroot, is
// believed to: a connect tells then.
func (a *administration) maySpoof() bool {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || spoofs(a.config) {
		return true
	}
	_, rest, _ := strings.Cut(string(status), "CapEff:")
	line, _, _ := strings.Cut(rest, "\n")
	effective, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	return err != nil || effective&(1<<capNetRaw) != 0
}
