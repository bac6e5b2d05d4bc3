package flow

import (
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/lb/config"
)

// A bulk transfer moves little in the turns in which, or just before which, another flow had only a little to say.
func TestBulkLeavesRoom(t *testing.T) {
	const most = 3 * crowdedRead // in a turn: for the sender's event, for the receiver's, and for what was put off
	s := newScript(t, scriptProxy(&config.Server{}))
	bulk, sink := s.flow()
	other, echo := s.flow()
	moved := func() (sum uint64) {
		for f := s.loop.flows; f != nil; f = f.next {
			sum += f.in
		}
		return sum
	}
	turn := func() uint64 {
		before := moved()
		s.loop.Turn()
		return moved() - before
	}
	fill := func() {
		sink.read()
		for n := 1; n > 0; {
			n, _ = bulk.Send([]byte(strings.Repeat("x", 64<<10)))
		}
	}
	fill()
	if n := turn(); n <= most {
		t.Fatalf("alone, the transfer moved %d bytes in a turn", n)
	}
	s.settle()
	other.send("small") // in the last of its turns nobody has anything to say
	echo.got("small", "")
	fill()
	other.Send([]byte("small"))
	turn()
	if n := turn(); n == 0 || n > most {
		t.Errorf("beside a small message the transfer moved %d bytes in a turn, want at most %d", n, most)
	}
	turn()
	if n := turn(); n <= most {
		t.Errorf("two turns after the small message it moved %d bytes in a turn", n)
	}
}
