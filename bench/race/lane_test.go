//go:build linux

package race

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// A balancer that is played: what its clients are told apart by is how, and when, it ends the two requests of a lane.
func TestVerdicts(t *testing.T) {
	const queue, never = 200 * time.Millisecond, time.Hour
	for _, test := range []struct {
		name                      string
		answers, closes           [2]time.Duration // after the request came; an answer's end follows at once
		stuck, late, failed, ends uint64
	}{
		{"both are served", [2]time.Duration{0, 5 * time.Millisecond}, [2]time.Duration{}, 0, 0, 0, 0},
		{"the server was idle", [2]time.Duration{0, never}, [2]time.Duration{1: queue}, 1, 0, 0, 1},
		{"nobody was served", [2]time.Duration{never, never}, [2]time.Duration{queue, queue}, 2, 0, 0, 1},
		{"the server is still busy", [2]time.Duration{queue + 100*time.Millisecond, never}, [2]time.Duration{1: queue}, 0, 1, 0, 0},
		{"the server was busy for long", [2]time.Duration{queue - 20*time.Millisecond, never}, [2]time.Duration{1: queue}, 0, 1, 0, 0},
		{"closed at once", [2]time.Duration{0, never}, [2]time.Duration{}, 0, 0, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for i := range 2 {
					c, err := listener.Accept()
					if err != nil {
						return
					}
					if _, err := io.ReadFull(c, make([]byte, len(request))); err != nil { // an unread request would make the end a reset
						return
					}
					go func() {
						defer c.Close()
						if test.answers[i] != never {
							time.Sleep(test.answers[i])
							io.WriteString(c, "!")
							return
						}
						time.Sleep(test.closes[i])
					}()
				}
			}()
			l, err := newLoad([]netip.AddrPort{listener.Addr().(*net.TCPAddr).AddrPort()}, 2)
			if err != nil {
				t.Fatal(err)
			}
			l.limit, l.queue = 2, queue
			if err := l.run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if l.Requests != 2 || l.Stuck != test.stuck || l.Late != test.late || l.Failed != test.failed || l.Incidents != test.ends {
				t.Errorf("%+v", l.LoadResult)
			}
		})
	}
}
