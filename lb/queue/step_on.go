//go:build queuestep

package queue

import "sync"

// Step, if it is set, is called before each atomic step, in builds with the tag queuestep. It is to be set while nobody uses
// the package. It may yield, or wait until it is told to go on.
var Step func(access Access, object any)

// seed is the fault that is made on purpose.
var seed fault

func step(access Access, object any) {
	if Step != nil {
		Step(access, object)
	}
}

func seeded(f fault) bool { return seed == f }

// allBusy tells whether all servers that would do have somebody to serve: otherPredicate.
func allBusy(p *Pool, bound *Server) bool {
	for _, s := range *p.servers.Load() {
		if bound == nil || s == bound {
			step(Load, s.word)
			if s.Served() == 0 {
				return false
			}
		}
	}
	return true
}

// lock is a mutex that asks for its turn. Unlock does not: what it lets happen can happen after the step that follows it as well.
type lock struct{ sync.Mutex }

func (l *lock) Lock() {
	step(Acquire, l)
	l.Mutex.Lock()
}
