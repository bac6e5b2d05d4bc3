package lb

import (
	"fmt"
	"net"
	"sync"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/poller"
)

// listenIn runs what makes listening sockets, in a namespace. Without a name that is the process's own.
func (s *namespaces) listenIn(name string, make func() ([]*poller.Listener, error)) ([]*poller.Listener, error) {
	if name == "" {
		return make()
	}
	var made []*poller.Listener
	var err error
	if absent := s.byName[name].Do(func() { made, err = make() }); absent != nil {
		return nil, absent
	}
	return made, err
}

// addPort has the keeper of a namespace move what listens there. inode is that of the namespace that it listens in already.
func (s *namespaces) addPort(name string, p *namespacePort, listens bool) {
	n := s.byName[name]
	if listens {
		p.inode = n.Status().Inode
	}
	n.ports = append(n.ports, p)
}

// acceptorsMoved is a bind in a namespace: its acceptors move from the listeners that are lost to new ones, each on its loop's thread.
type acceptorsMoved struct {
	b         *Balancer
	listen    func() ([]*poller.Listener, error)
	acceptors []*flow.Acceptor // by member
	loops     []int            // of each
	current   []*poller.Listener
}

// open makes new listeners and moves the acceptors there.
func (m *acceptorsMoved) open() error {
	made, err := m.listen()
	if err != nil {
		return err
	}
	m.current = made
	for i := range m.acceptors {
		made[i*len(made)/len(m.acceptors)].Join()
	}
	return m.move(func(i int) *poller.Listener { return made[i*len(made)/len(m.acceptors)] })
}

// close moves them away. The last one that leaves a listener closes it, so that the namespace is not kept alive by it.
func (m *acceptorsMoved) close() {
	m.move(func(int) *poller.Listener { return nil })
	m.current = nil
}

func (m *acceptorsMoved) move(to func(i int) *poller.Listener) error {
	errs := make(chan error, len(m.acceptors))
	m.b.onLoops(func(loop int) {
		for i, a := range m.acceptors {
			if m.loops[i] == loop {
				errs <- a.Move(to(i))
			}
		}
	})
	for {
		select {
		case err := <-errs:
			if err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// followBind has a bind follow its namespace. It listens there already if listening is not empty.
func (b *Balancer) followBind(p *config.Proxy, c *config.Bind, listening []*poller.Listener, m *acceptorsMoved) {
	m.b, m.current = b, listening
	b.spaces.addPort(c.Namespace, &namespacePort{
		pos: c.Pos, where: fmt.Sprintf("'%s' on %s", p.Name, c.Address), listen: m.open, close: m.close,
	}, len(listening) > 0)
}

// movable is a listener whose socket comes and goes: Accept waits for one.
type movable struct {
	mu      sync.Mutex // guards what follows
	current net.Listener
	moved   chan struct{} // closed at the next move
	closed  bool
}

func newMovable() *movable { return &movable{moved: make(chan struct{})} }

// move puts another socket in the place of the one that there is; nil: none for now.
func (m *movable) move(to net.Listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != nil {
		m.current.Close()
	}
	if m.closed {
		if to != nil {
			to.Close()
		}
		return
	}
	m.current = to
	close(m.moved)
	m.moved = make(chan struct{})
}

// Accept waits for a connection on the socket of the moment.
func (m *movable) Accept() (net.Conn, error) {
	for {
		m.mu.Lock()
		current, moved, closed := m.current, m.moved, m.closed
		m.mu.Unlock()
		switch {
		case closed:
			return nil, net.ErrClosed
		case current == nil:
			<-moved
			continue
		}
		conn, err := current.Accept()
		if err == nil {
			return conn, nil
		}
		m.mu.Lock() // who closes a socket has put another one in its place before it lets go
		same := m.current == current && !m.closed
		m.mu.Unlock()
		if same {
			return nil, err
		}
	}
}

// Close ends Accept for good.
func (m *movable) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	close(m.moved)
	if m.current == nil {
		return nil
	}
	return m.current.Close()
}

// Addr is that of the socket of the moment.
func (m *movable) Addr() net.Addr {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		return &net.TCPAddr{}
	}
	return m.current.Addr()
}
