package lb

import (
	"fmt"

	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/stats"
)

// statusLines tells the state of all proxies and their servers: what SIGHUP asks for. A queue that nobody has been in has no
// line.
func statusLines(s Snapshot) []string {
	var lines []string
	for _, proxy := range s.Proxies {
		for _, server := range proxy.Servers {
			lines = append(lines, fmt.Sprintf("Server %s/%s is %s. Conn: %d act, %d pend, %d tot.",
				proxy.Name, server.Name, server.State, server.Current, server.Queued, server.Total))
			if server.Queue.Highest > 0 {
				lines = append(lines, fmt.Sprintf("Server %s/%s queue: %s.", proxy.Name, server.Name, queueNumbers(server.Queued, server.Queue)))
			}
		}
		what := "Proxy"
		switch proxy.Kind {
		case config.Frontend:
			what = "Frontend"
		case config.Backend:
			what = "Backend"
		}
		lines = append(lines, fmt.Sprintf("%s %s has %d servers. Conn: %d act, %d tot. Bytes: %d in, %d out.",
			what, proxy.Name, len(proxy.Servers), proxy.Current, proxy.Total, proxy.BytesIn, proxy.BytesOut))
		// Time-outs are known by backend, whichever of its queues they happened in.
		if timedOut := proxy.Counters[stats.QueueTimeouts]; proxy.Queue.Highest > 0 || timedOut > 0 {
			lines = append(lines, fmt.Sprintf("%s %s queue: %s, %d timed out.", what, proxy.Name, queueNumbers(proxy.Queued, proxy.Queue), timedOut))
		}
	}
	return lines
}

func queueNumbers(now int, q QueueSnapshot) string {
	return fmt.Sprintf("%d now, %d highest, %d looked again, %d at risk, %d requeued, %d granted directly, %d sent back",
		now, q.Highest, q.LookedAgain, q.AtRisk, q.Requeued, q.Direct, q.SentBack)
}
