package ebpf

import (
	"errors"
	"testing"

	"github.com/cilium/ebpf"
)

func TestRedirectIsMissing(t *testing.T) {
	_, err := NewRedirect(RedirectOptions{Lanes: 1, Flows: 4, Limit: 1 << 16}, func(*ebpf.CollectionSpec, any, *ebpf.CollectionOptions) error { return errors.New("no") })
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
}

// The switch fails while bytes have arrived that were not read, and a lane without room says so.
func TestRedirectSwitch(t *testing.T) {
	r, err := NewRedirect(RedirectOptions{Lanes: 1, Flows: 1, Limit: 1 << 16}, nil)
	available(t, err)
	defer r.Close()
	l := r.Lane(0)
	place := l.free[0]
	l.direction(place).word = held | 7
	if l.Begin(place, 6) {
		t.Error("redirected with a byte unread")
	}
	if !l.Begin(place, 7) {
		t.Error("not redirected")
	}
	if n, moved, holding, _ := l.Arrived(place); n != 7 || moved != 7 || holding {
		t.Error(n, moved, holding)
	}
	if l.Hold(place); !func() bool { _, _, holding, _ := l.Arrived(place); return holding }() {
		t.Error("not held")
	}
	l.free = nil
	if p, err := l.Insert(0, 0); p != NoPlace || !errors.Is(err, ErrFull) {
		t.Error(p, err)
	}
}
