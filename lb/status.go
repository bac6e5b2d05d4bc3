package lb

import (
	"fmt"

	"github.com/sluice-lb/sluice/lb/config"
)

// statusLines tells the state of all proxies and their servers: what SIGHUP asks for.
func statusLines(s Snapshot) []string {
	var lines []string
	for _, proxy := range s.Proxies {
		for _, server := range proxy.Servers {
			lines = append(lines, fmt.Sprintf("Server %s/%s is %s. Conn: %d act, %d pend, %d tot.",
				proxy.Name, server.Name, server.State, server.Current, server.Queued, server.Total))
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
	}
	return lines
}
