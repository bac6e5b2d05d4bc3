package top

import (
	"fmt"
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

// work is how busy the process is: each of sluice's loops, or what HAProxy says of all its threads.
func work(p paint, s *sample, t *tracker) string {
	if len(s.loops) == 0 {
		return fmt.Sprintf("threads %s  idle %s%%  tasks %s  run queue %s", s.info["Nbthread"], s.info["Idle_pct"], s.info["Tasks"], s.info["Run_queue"])
	}
	var b strings.Builder
	b.WriteString("loops")
	var longest int64
	for i, l := range s.loops {
		longest = max(longest, l.longestGap)
		if i < len(t.busy) {
			fmt.Fprintf(&b, "  %d %s %2.0f%% busy", i+1, bar(t.busy[i], 6), t.busy[i]*100)
		} else {
			fmt.Fprintf(&b, "  %d %d flows", i+1, l.flows)
		}
	}
	gap := fmt.Sprintf("  longest turn %s", (time.Duration(longest) * time.Microsecond).String())
	if longest >= 10_000 {
		gap = p.warn(gap)
	}
	return b.String() + gap
}
