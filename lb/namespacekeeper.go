package lb

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/netns"
)

// namespacePort is something that listens in a namespace. Once the loops run only its namespace's keeper touches it.
type namespacePort struct {
	pos    config.Pos
	where  string // for messages: "'f' on 10.0.0.1:80"
	listen func() error
	close  func()
	inode  uint64 // of the namespace that it listens in; 0: it does not
	told   string // why it does not, as it was told last
}

// listenAgain is the time after which a port is tried again that could not be opened: an address may be missing yet in a namespace
// that is being set up.
const listenAgain = time.Second

// startNamespaces begins to follow the namespaces, when the loops run.
func (b *Balancer) startNamespaces() {
	if b.spaces.set == nil {
		return
	}
	for _, n := range b.spaces.order {
		if !n.Present() {
			b.sayNamespace(config.Warning, n.away()+", and is awaited.")
		}
		if len(n.ports) > 0 {
			b.spaces.keepers.Add(1)
			go func() {
				defer b.spaces.keepers.Done()
				b.keep(n)
			}()
		}
	}
	b.spaces.set.Start()
}

// stop ends what startNamespaces began, and all sockets that wait. What listens stays as it is. Further calls do nothing.
func (s *namespaces) stop() {
	if s == nil || s.set == nil {
		return
	}
	select {
	case <-s.quit:
	default:
		close(s.quit)
	}
	s.keepers.Wait()
	s.set.Close()
}

// namespaceChanged is told by the set what became of a namespace. Servers are told here; what listens is its keeper's.
func (b *Balancer) namespaceChanged(changed *netns.Namespace, err error) {
	n := b.spaces.byName[changed.Name]
	if n == nil {
		return
	}
	var absent *netns.AbsentError
	switch {
	case err == nil:
		b.sayNamespace(config.Notice, fmt.Sprintf("Network namespace '%s' is there.", n.Name))
	case errors.As(err, &absent):
		b.sayNamespace(config.Warning, fmt.Sprintf("Network namespace '%s' is gone, and is awaited.", n.Name))
	default:
		b.sayNamespace(config.Alert, sentence(err.Error())+".")
	}
	n.mu.Lock()
	why := n.away()
	if absent != nil && why == "" { // it has come again meanwhile; its servers are told of both
		why = sentence(err.Error())
	}
	for server := range n.servers {
		server.SetAway(why)
	}
	n.mu.Unlock()
	select {
	case n.changed <- struct{}{}:
	default:
	}
}

// sentence makes a text begin like one.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return string(text[0]&^0x20) + text[1:]
}

// sayNamespace hands a message to the process's log and to standard error.
func (b *Balancer) sayNamespace(severity config.Severity, text string) {
	level := map[config.Severity]tcplog.Level{config.Notice: tcplog.Notice, config.Warning: tcplog.Warning, config.Alert: tcplog.Alert}[severity]
	b.logger.Message(level, text)
	select {
	case b.news.lines <- saying{severity, text}:
	default:
		b.news.lost.Add(1)
	}
}

// keep has what listens in a namespace follow it: it is closed when the namespace is gone or another one, and opened in the one that
// is there, again and again until that is possible.
func (b *Balancer) keep(n *namespace) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-n.changed:
		case <-timer.C:
		case <-b.spaces.quit:
			return
		}
		if b.reconcile(n) {
			timer.Reset(listenAgain)
		}
	}
}

// reconcile tells whether it must be tried again.
func (b *Balancer) reconcile(n *namespace) (again bool) {
	inode := n.Status().Inode
	for _, p := range n.ports {
		if p.inode == inode {
			continue
		}
		if p.inode != 0 {
			p.close()
			p.inode, p.told = 0, ""
		}
		if inode == 0 || b.stopping.Load() {
			continue
		}
		var absent *netns.AbsentError
		err := p.listen()
		switch {
		case err == nil:
			if p.told != "" {
				b.sayNamespace(config.Notice, fmt.Sprintf("Listening for %s in network namespace '%s'.", p.where, n.Name))
			}
			p.inode, p.told = inode, ""
		case errors.As(err, &absent): // it is gone again, and that will be told
		default:
			again = true
			if text := err.Error(); p.told != text {
				p.told = text
				b.sayNamespace(config.Alert, fmt.Sprintf("Cannot listen for %s in network namespace '%s': %v. It is tried again each second.", p.where, n.Name, err))
			}
		}
	}
	return again
}

// Namespaces describes all of them.
func (a *administration) Namespaces() []admin.Namespace {
	var list []admin.Namespace
	for _, n := range a.spaces.order {
		st := n.Status()
		n.mu.Lock()
		servers := len(n.servers)
		n.mu.Unlock()
		x := admin.Namespace{
			Name: n.Name, Late: n.late, Present: st.Present, Inode: st.Inode, Since: time.Since(st.Since), Binds: len(n.ports), Servers: servers,
			Waiting: st.Waiting, Taken: st.Taken, Missed: st.Missed, Failed: st.Failed, Came: st.Came, Went: st.Went,
		}
		if st.Problem != nil {
			x.Problem = st.Problem.Error()
		}
		list = append(list, x)
	}
	return list
}
