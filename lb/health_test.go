package lb

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
)

// What happens to servers reaches the logs of their proxy with its severity, standard error in its order, the mailers' hook,
// and the servers that track them.
func TestHealthNews(t *testing.T) {
	log, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	b, said := open(t, `
global
 log `+log.LocalAddr().String()+` format priority local0
defaults
 mode tcp
 log global
 timeout connect 1s
 timeout client 1s
 timeout server 1s
backend web
 server a 127.0.0.1:1 check inter 1h fastinter 50ms
listen in
 bind 127.0.0.1:18533
 server b 127.0.0.1:1 track web/a
`)
	var mu sync.Mutex // the two backends tell under locks of their own
	var mailed []string
	b.OnHealth(func(p *config.Proxy, e backend.Event) {
		mu.Lock()
		defer mu.Unlock()
		mailed = append(mailed, p.Name+": "+anyDuration(e.Text))
	})
	a := b.backends["web"].Servers()[0]
	a.SetAdmin(backend.Maint) // before the start nothing is told
	a.SetAdmin(backend.Ready)
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	left := ". 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue."
	down := `Server web/a is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: Nms` + left
	via := "Server in/b is DOWN via web/a" + left
	for _, want := range []string{"<129>" + down, "<128>backend web has no server available!", "<129>" + via, "<128>proxy in has no server available!"} {
		if got := anyDuration(packet(t, log)); !strings.HasSuffix(strings.TrimSpace(got), want) {
			t.Errorf("logged %q, want %q", got, want)
		}
	}
	want := []string{"WARNING " + down, "ALERT backend 'web' has no server available!", "WARNING " + via, "ALERT proxy 'in' has no server available!"}
	waitFor(t, "standard error", func() bool { return len(said.all()) >= len(want) })
	if got := strings.Split(anyDuration(strings.Join(said.all(), "\n")), "\n"); !slices.Equal(got, want) {
		t.Errorf("said:\n%s", strings.Join(got, "\n"))
	}
	want = []string{"web: " + down, "web: backend web has no server available!", "in: " + via, "in: proxy in has no server available!"}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(mailed, want) {
		t.Errorf("mailed:\n%s", strings.Join(mailed, "\n"))
	}
	var states []string
	for _, p := range b.Snapshot().Proxies {
		for _, s := range p.Servers {
			states = append(states, s.Name+" "+s.State)
		}
		if p.Status.Up || p.Status.Downs != 1 {
			t.Errorf("%s: %+v", p.Name, p.Status)
		}
	}
	if !slices.Equal(states, []string{"a DOWN", "b DOWN"}) {
		t.Errorf("snapshot: %q", states)
	}
}

// anyDuration hides how long a check took.
func anyDuration(text string) string {
	return regexp.MustCompile(`duration: \d+ms`).ReplaceAllString(text, "duration: Nms")
}

// packet is the next one that has come to c.
func packet(t *testing.T, c net.PacketConn) string {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	buffer := make([]byte, 2000)
	n, _, err := c.ReadFrom(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n])
}

// waitFor gives something time to happen.
func waitFor(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// Standard error that is not read loses lines and holds nobody up.
func TestHealthNewsUnread(t *testing.T) {
	stuck := make(chan bool)
	n := newHealthNews(func(config.Severity, string) { <-stuck })
	defer close(stuck)
	defer n.close()
	for range sayingsAhead + 10 {
		n.event(&config.Proxy{Name: "p"}, nil, backend.Event{Kind: backend.EventState, Text: "x"})
	}
	if lost := n.lost.Load(); lost < 9 || lost > 10 { // one may be in the hands of who says it
		t.Errorf("%d lost", lost)
	}
}
