package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/sluice-lb/sluice/lb"
)

// table prints what the servers did since it was last shown. It belongs to one goroutine.
type table struct {
	out   io.Writer
	lines int // since the heading was printed
	when  time.Time
	last  map[string]lb.ServerSnapshot // by proxy/server
}

// headingEvery is the number of lines after which the heading is printed again.
const headingEvery = 20

const heading = "time      server        state     open   total    new      to server    from server\n"

func newTable(out io.Writer) *table {
	return &table{out: out, lines: headingEvery, last: make(map[string]lb.ServerSnapshot)}
}

// show prints a line for each server that has changed. The first call only notes where the counters stand.
func (t *table) show(now time.Time, s lb.Snapshot) {
	first := t.when.IsZero()
	seconds := now.Sub(t.when).Seconds()
	t.when = now
	for _, proxy := range s.Proxies {
		for _, server := range proxy.Servers {
			name := proxy.Name + "/" + server.Name
			before := t.last[name]
			t.last[name] = server
			if first || server == before {
				continue
			}
			if t.lines >= headingEvery {
				fmt.Fprint(t.out, heading)
				t.lines = 0
			}
			t.lines++
			fmt.Fprintf(t.out, "%s  %-12s  %-8s  %4d  %6d  %5s  %11s/s  %11s/s\n", now.Format("15:04:05"), name, server.State,
				server.Current, server.Total, fmt.Sprintf("+%d", server.Total-before.Total),
				size(float64(server.BytesIn-before.BytesIn)/seconds), size(float64(server.BytesOut-before.BytesOut)/seconds))
		}
	}
}

// total prints the sums at the end.
func (t *table) total(s lb.Snapshot) {
	fmt.Fprintln(t.out, "\nIn all:")
	for _, proxy := range s.Proxies {
		for _, server := range proxy.Servers {
			fmt.Fprintf(t.out, "  %-12s  %6d connections  %11s to the server  %11s from it\n", proxy.Name+"/"+server.Name,
				server.Total, size(float64(server.BytesIn)), size(float64(server.BytesOut)))
		}
	}
}

// size writes a number of bytes with a decimal unit.
func size(bytes float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if bytes < 1000 {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", bytes)
			}
			return fmt.Sprintf("%.1f %s", bytes, unit)
		}
		bytes /= 1000
	}
	return fmt.Sprintf("%.1f TB", bytes)
}
