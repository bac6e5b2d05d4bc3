package top

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// header is what stands above every screen: the process, its connections, its loops.
func header(p paint, s *sample, t *tracker, about string, width int) []string {
	if s == nil {
		return []string{p.title("sluice top") + "  " + about}
	}
	up, _ := seconds(s.info["Uptime_sec"])
	who := fmt.Sprintf("%s %s", strings.ToLower(s.info["Name"]), s.info["Version"])
	if node := s.info["node"]; node != "" {
		who += " on " + node
	}
	first := p.title(printable(who)) + fmt.Sprintf("  process %s, up %s", s.info["Pid"], age(up))
	if s.info["Stopping"] == "1" {
		first += "  " + p.warn("STOPPING")
	}
	lines := []string{first + "  " + p.dim(about)}
	lines = append(lines, connections(s, t, width), work(p, s, t))
	for i := range lines {
		lines[i] = clip(lines[i], width)
	}
	return lines
}

func connections(s *sample, t *tracker, width int) string {
	now, limit := s.number("CurrConns"), s.number("Maxconn")
	text := fmt.Sprintf("connections %d", now)
	if limit > 0 {
		text += fmt.Sprintf(" of %d %s %d%%", limit, bar(float64(now)/float64(limit), 10), now*100/limit)
	}
	text += fmt.Sprintf("  new %s/s (highest %s)", short(float64(s.number("ConnRate"))), short(float64(s.number("MaxConnRate"))))
	if t.comparable {
		text += fmt.Sprintf("  in %sB/s  out %sB/s", short(t.in), short(t.out))
	}
	var queued int64
	for i := range s.rows {
		if s.rows[i].kind == backend {
			queued += s.rows[i].queued
		}
	}
	text += fmt.Sprintf("  queued %d  ", queued)
	return text + spark(t.rate, max(min(width-len(text), 30), 0))
}

// mostBars is how many loops have a bar each; more are drawn with a character each.
const mostBars = 4

// work is how busy the process is: each of sluice's loops, or what HAProxy says of all its threads.
func work(p paint, s *sample, t *tracker) string {
	if len(s.loops) == 0 {
		return fmt.Sprintf("threads %s  idle %s%%  tasks %s  run queue %s", s.info["Nbthread"], s.info["Idle_pct"], s.info["Tasks"], s.info["Run_queue"])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "loops %d", len(s.loops))
	var longest, flows int64
	for _, l := range s.loops {
		longest, flows = max(longest, l.longestGap), flows+l.flows
	}
	switch {
	case len(t.busy) == 0:
		fmt.Fprintf(&b, "  %d flows", flows)
	case len(t.busy) <= mostBars:
		for i, share := range t.busy {
			fmt.Fprintf(&b, "  %d %s %2.0f%%", i+1, bar(share, 6), share*100)
		}
		b.WriteString(" busy")
	default:
		sum := 0.0
		for _, share := range t.busy {
			sum += share
		}
		fmt.Fprintf(&b, "  %s  %.0f%% busy on average, %.0f%% the busiest", levels(t.busy), sum*100/float64(len(t.busy)), slices.Max(t.busy)*100)
	}
	gap := fmt.Sprintf("  longest turn %s", (time.Duration(longest) * time.Microsecond).String())
	if longest >= 10_000 {
		gap = p.warn(gap)
	}
	return b.String() + gap
}
