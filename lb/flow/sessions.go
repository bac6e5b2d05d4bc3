package flow

import (
	"sync"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/poller"
)

// observe tells the server how the connect to it went, for "observe layer4".
func (f *Flow) observe(success bool) {
	if s := f.slot; s != nil {
		s.Observe(f.loop.ID, success)
	}
}

// shutter ends the flows of servers that went down ("on-marked-down shutdown-sessions"), and of backup servers that are not
// needed any more ("on-marked-up shutdown-backup-sessions"). Each loop walks its own flows, a bounded number in a turn: a loop
// with many flows must not leave the others waiting. Servers that are named while it walks have a walk of their own after it.
type shutter struct {
	loop *Loop
	mail poller.Mail

	mu      sync.Mutex // guards what follows
	pending map[*backend.Server]byte
	posted  bool // the mail is on its way, or a walk goes on

	// The loop's own.
	walking map[*backend.Server]byte
	at      *Flow // where the walk goes on; Loop.put keeps it off a flow that ends
}

// perTurn is how many flows a shutter looks at in a turn of the loop, and endsPerTurn how many of them it ends, each of which
// takes some 50 µs. Tests lower them.
var perTurn, endsPerTurn = 2048, 32

// ShutServer ends the established flows of s, soon, on their loops. why is the first letter of their termination state, 'D',
// 'U', or 'K' when the operator asks for it. Flows that are still connecting go on as "retries" and "option redispatch" say. Any goroutine may call it; it does not
// block.
func (p *Process) ShutServer(s *backend.Server, why byte) {
	for _, l := range p.Loops {
		l.shutter.add(s, why)
	}
}

func (h *shutter) add(s *backend.Server, why byte) {
	h.mu.Lock()
	if h.pending == nil {
		h.pending = make(map[*backend.Server]byte)
	}
	h.pending[s] = why
	post := !h.posted
	h.posted = true
	h.mu.Unlock()
	if post {
		h.loop.Post(&h.mail)
	}
}

// Deliver walks on.
func (h *shutter) Deliver(*poller.Mail) {
	if h.walking == nil {
		h.mu.Lock()
		h.walking, h.pending = h.pending, nil
		h.mu.Unlock()
		h.at = h.loop.flows
	}
	for looked, ended := 0, 0; looked < perTurn && ended < endsPerTurn; looked++ {
		f := h.at
		if f == nil {
			break
		}
		h.at = f.next
		if why := h.walking[f.slot]; why != 0 && f.stage == forwarding {
			id := stats.ServerDown
			switch why {
			case 'U':
				id = stats.BackupLeft
			case 'K':
				id = stats.Killed
			}
			f.frontend.Stats.Add(h.loop.ID, id, 1)
			f.countServer(id)
			f.end(why, '-')
			ended++
		}
	}
	if h.at == nil {
		h.walking = nil
		h.mu.Lock()
		h.posted = h.pending != nil
		again := h.posted
		h.mu.Unlock()
		if !again {
			return
		}
	}
	h.loop.Post(&h.mail)
}
