package lb

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/netns"
)

// namespaces are the network namespaces of the configuration, with what is in each. Which there are is known before the loops run
// and never changes; whether one is there does.
type namespaces struct {
	set    *netns.Set // nil: there are none
	byName map[string]*namespace
	order  []*namespace

	quit    chan struct{}
	keepers sync.WaitGroup
}

// namespace is one of them.
type namespace struct {
	*netns.Namespace
	flows   *flow.Namespace
	late    bool // somewhere it says so
	changed chan struct{}
	ports   []*namespacePort // complete before the loops run

	mu      sync.Mutex // guards what follows, and orders what servers are told
	servers map[*backend.Server]bool
}

// namespaceUse is one place of the configuration that names a namespace.
type namespaceUse struct {
	pos  config.Pos
	name string
	late bool
}

// namespaceUses lists all of them.
func namespaceUses(cfg *config.Config) []namespaceUse {
	var list []namespaceUse
	add := func(pos config.Pos, name string, late bool) {
		if name != "" && name != config.ClientNamespace {
			list = append(list, namespaceUse{pos, name, late})
		}
	}
	for _, n := range cfg.Namespaces {
		add(n.Pos, n.Name, n.Late)
	}
	for i := range cfg.Global.StatsSockets {
		s := &cfg.Global.StatsSockets[i]
		add(s.Pos, s.Bind.Namespace, s.Bind.NamespaceLate)
	}
	for _, l := range cfg.Global.StatsListens {
		add(l.Pos, l.Bind.Namespace, false)
	}
	for _, p := range cfg.Proxies {
		if p.Disabled {
			continue
		}
		for _, b := range p.Binds {
			add(b.Pos, b.Namespace, b.NamespaceLate)
		}
		for _, s := range p.Servers {
			add(s.Pos, s.Namespace, s.NamespaceLate)
		}
	}
	return list
}

// namespacesOf lists the names, each once.
func namespacesOf(cfg *config.Config) []string {
	var names []string
	seen := make(map[string]bool)
	for _, use := range namespaceUses(cfg) {
		if !seen[use.name] {
			seen[use.name] = true
			names = append(names, use.name)
		}
	}
	return names
}

// pooledSockets bounds the sockets that wait in the pools of n namespaces: enough for two address families of a busy one each, and
// for a host full of tenants no more than fits.
func pooledSockets(n int) int { return min(128*n, 1024) }

// openNamespaces enters all namespaces of the configuration. It follows openLoops.
func (b *Balancer) openNamespaces() error {
	uses := namespaceUses(b.config)
	b.spaces = &namespaces{byName: make(map[string]*namespace), quit: make(chan struct{})}
	if len(uses) == 0 {
		return nil
	}
	var err error
	b.spaces.set, err = netns.New(netns.Options{Pooled: pooledSockets(len(namespacesOf(b.config))), Changed: b.namespaceChanged})
	if err != nil {
		return fmt.Errorf("network namespaces: %w", err)
	}
	b.process.Namespaces = make(map[string]*flow.Namespace)
	var errs []error
	for _, use := range uses {
		entered, err := b.spaces.set.Open(use.name, use.late)
		if err != nil {
			errs = append(errs, at(use.pos, "%w", hinted(err)))
			b.spaces.byName[use.name] = &namespace{flows: flow.NewNamespace(b.process, use.name, nil)} // no server complains, too
			continue
		}
		n := b.spaces.byName[use.name]
		if n == nil || n.Namespace == nil {
			n = &namespace{
				Namespace: entered, flows: flow.NewNamespace(b.process, use.name, entered), changed: make(chan struct{}, 1),
				servers: make(map[*backend.Server]bool),
			}
			b.spaces.byName[use.name] = n
			b.spaces.order = append(b.spaces.order, n)
			b.process.Namespaces[use.name] = n.flows
		}
		n.late = n.late || use.late
	}
	if b.config.Global.Chroot != "" {
		errs = append(errs, b.spaces.set.KeepDirectories())
	}
	return errors.Join(errs...)
}

// hinted adds to the error of an absent namespace what can be done about it.
func hinted(err error) error {
	var absent *netns.AbsentError
	if errors.As(err, &absent) && (absent.Cause == nil || errors.Is(absent.Cause, fs.ErrNotExist)) {
		return fmt.Errorf("%w; 'late' behind the name waits for it", err)
	}
	return err
}

// checkNamespaces is openNamespaces as far as it can be done without entering any.
func (b *Balancer) checkNamespaces() error {
	b.spaces = &namespaces{byName: make(map[string]*namespace)}
	var errs []error
	for _, use := range namespaceUses(b.config) {
		if err := netns.Exists("", use.name); err != nil && !use.late {
			errs = append(errs, at(use.pos, "%w", hinted(err)))
		}
		b.spaces.byName[use.name] = &namespace{flows: flow.NewNamespace(b.process, use.name, nil)}
	}
	return errors.Join(errs...)
}

// place sets where the sockets of a target are made.
func (s *namespaces) place(t *flow.Target, c *config.Server) error {
	switch c.Namespace {
	case "":
		return nil
	case config.ClientNamespace:
		t.ClientNamespace = true
		return nil
	}
	if s != nil {
		if n := s.byName[c.Namespace]; n != nil {
			t.Namespace = n.flows
			return nil
		}
	}
	return fmt.Errorf("network namespace '%s' is not one of those that the process was started with", c.Namespace)
}

// join tells a server from now on whether its namespace is there. leave ends that.
func (s *namespaces) join(server *backend.Server) {
	if s == nil || s.byName[server.Config.Namespace] == nil {
		return
	}
	n := s.byName[server.Config.Namespace]
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[server] = true
	server.SetAway(n.away())
}

func (s *namespaces) leave(server *backend.Server) {
	if s == nil {
		return
	}
	if n := s.byName[server.Config.Namespace]; n != nil {
		n.mu.Lock()
		delete(n.servers, server)
		n.mu.Unlock()
	}
}

// away says why the servers of the namespace cannot be reached; empty: they can.
func (n *namespace) away() string {
	if n.Present() {
		return ""
	}
	if err := n.Status().Problem; err != nil {
		return sentence(err.Error())
	}
	return sentence((&netns.AbsentError{Name: n.Name}).Error())
}

// joinServers joins all that there are. It follows openBackends, and comes before the states are restored.
func (b *Balancer) joinServers() {
	for _, p := range b.config.Proxies {
		if fb := b.backends[p.Name]; fb != nil && !p.Disabled && p.Kind&config.Backend != 0 {
			for _, s := range fb.Servers() {
				b.spaces.join(s)
			}
		}
	}
}
