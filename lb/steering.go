package lb

import (
	"fmt"
	"time"

	"github.com/sluice-lb/sluice/ebpf"
	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/flow"
	"github.com/sluice-lb/sluice/poller"
)

// stallAfter is how long a loop's turn may last before the loop gets no new connections. A turn with much to do takes a few
// milliseconds; what clients notice begins at some tens.
const stallAfter = 20 * time.Millisecond

// steering is "ebpf-steering". A nil one does nothing: the kernel's hash spreads connections.
type steering struct {
	kernel *ebpf.Steering
	mode   string
	groups []steeredGroup // complete before the loops run
}

type steeredGroup struct {
	*ebpf.Group
	frontend *flow.Frontend
}

var steeringModes = map[string]ebpf.SteeringMode{"cpu": ebpf.SteerByCPU, "least": ebpf.SteerByLeast}

// openSteering prepares "ebpf-steering", where it is on and can be had. It must be called while the process has its privileges.
func (b *Balancer) openSteering(cpus [][]int, load ebpf.Loader) {
	mode := b.config.Global.EBPFSteering
	if steeringModes[mode] == 0 || len(cpus) < 2 {
		return
	}
	kernel, err := ebpf.OpenSteering(ebpf.SteeringOptions{Mode: steeringModes[mode], CPUs: cpus, Stall: stallAfter, Load: load})
	if err != nil {
		b.say(config.Warning, fmt.Sprintf("'ebpf-steering reuseport %s' is off, the kernel's hash spreads connections: %v", mode, err))
		return
	}
	if mode == "cpu" && !anyBound(cpus) {
		b.say(config.Warning, fmt.Sprintf("'ebpf-steering reuseport cpu' knows of no loop where it runs: bind the %d loops to CPUs with 'cpu-map'", len(cpus)))
	}
	b.steering = &steering{kernel: kernel, mode: mode}
}

func anyBound(cpus [][]int) bool {
	for _, set := range cpus {
		if len(set) > 0 {
			return true
		}
	}
	return false
}

// seat is where a loop tells how it is; nil: nobody wants to know.
func (s *steering) seat(loop int) *ebpf.Seat {
	if s == nil {
		return nil
	}
	return s.kernel.Seat(loop)
}

// group lets the program choose among the sockets of one address, once attached. members are the loops that accept there; target: one
// of the sockets is that of a lookup.
func (s *steering) group(f *flow.Frontend, listeners []*poller.Listener, target bool, members []int, acceptors []*flow.Acceptor, loops int) error {
	if s == nil || len(listeners) < 2 {
		return nil
	}
	descriptors := make([]int, len(listeners))
	for i, ln := range listeners {
		descriptors[i] = ln.FD()
	}
	of := make([]int, loops)
	for i := range of {
		of[i] = -1
	}
	for i, loop := range members {
		of[loop] = i * len(listeners) / len(members)
	}
	open := s.kernel.Group
	if target {
		open = s.kernel.LookupGroup
	}
	g, err := open(descriptors, of)
	if err != nil {
		return err
	}
	for i, a := range acceptors {
		a.CountTaken(&s.kernel.Seat(members[i]).Taken)
	}
	s.groups = append(s.groups, steeredGroup{g, f})
	return nil
}

// attach puts the programs in force. Until then, connections on an address that an older process steers all go to that one. So call
// it when the loops accept.
func (b *Balancer) attachSteering() {
	if b.config.Global.EBPFSteering == "off" {
		for _, ln := range b.listeners {
			if ln.Shares() {
				if err := ebpf.Detach(ln.FD()); err != nil {
					b.say(config.Warning, fmt.Sprintf("'ebpf-steering reuseport off': what an older process has attached on %s stays in force: %v", ln.Addr(), err))
				}
			}
		}
	}
	if b.steering == nil {
		return
	}
	for _, g := range b.steering.groups {
		if err := g.Attach(); err != nil {
			b.say(config.Warning, fmt.Sprintf("'ebpf-steering reuseport %s' is off for a bind of '%s': %v", b.steering.mode, g.frontend.Name, err))
		}
	}
}

// restore puts the programs of a frontend in force again, whose listeners have stopped listening and begun anew.
func (s *steering) restore(f *flow.Frontend) error {
	if s == nil {
		return nil
	}
	for _, g := range s.groups {
		if g.frontend == f {
			if err := g.Restore(); err != nil {
				return err
			}
		}
	}
	return nil
}

// close gives up what the process has of the programs, when no loop runs any more.
func (s *steering) close() {
	if s == nil {
		return
	}
	for _, g := range s.groups {
		g.Close()
	}
	s.kernel.Close()
}

// view is what the operator sees; nil: steering is off.
func (s *steering) view(loops int) *admin.Steering {
	if s == nil {
		return nil
	}
	u := s.kernel.Unsteered()
	v := &admin.Steering{Mode: s.mode, Groups: len(s.groups), Hashed: u.All, Stalled: u.Stalled, Gone: u.Gone, Loops: make([]admin.SteeredLoop, loops)}
	for i := range v.Loops {
		g := s.kernel.Given(i)
		v.Loops[i] = admin.SteeredLoop{Given: g.All, ByCPU: g.ByCPU, ByLeast: g.ByLeast, PassedBy: g.PassedBy}
	}
	return v
}
