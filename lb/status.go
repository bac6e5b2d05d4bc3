package lb

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
	resolver "github.com/sluice-lb/sluice/lb/resolve"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
)

// statusLine is one line about a proxy, in whose log it belongs, too.
type statusLine struct{ proxy, text string }

// statusLines tells the state of all proxies and their servers: what SIGHUP asks for. A queue that nobody has been in has no
// line.
func statusLines(s Snapshot) []statusLine {
	var lines []statusLine
	for _, proxy := range s.Proxies {
		add := func(format string, a ...any) {
			lines = append(lines, statusLine{proxy.Name, fmt.Sprintf(format, a...)})
		}
		for _, server := range proxy.Servers {
			add("Server %s/%s is %s. Conn: %d act, %d pend, %d tot.",
				proxy.Name, server.Name, server.State, server.Current, server.Queued, server.Total)
			if server.Queue.Highest > 0 {
				add("Server %s/%s queue: %s.", proxy.Name, server.Name, queueNumbers(server.Queued, server.Queue))
			}
		}
		what := "Proxy"
		switch proxy.Kind {
		case config.Frontend:
			what = "Frontend"
		case config.Backend:
			what = "Backend"
		}
		add("%s %s %s. Conn: %d act, %d tot. Bytes: %d in, %d out.",
			what, proxy.Name, availability(proxy), proxy.Current, proxy.Total, proxy.BytesIn, proxy.BytesOut)
		if line := redirectNumbers(&proxy.Counters); line != "" {
			add("%s %s sockmap: %s.", what, proxy.Name, line)
		}
		if proxy.Queue.Highest > 0 {
			add("%s %s queue: %s.", what, proxy.Name, queueNumbers(proxy.Queued, proxy.Queue))
		}
	}
	return lines
}

// flushEvery is how many lines are logged in a row.
const flushEvery = 500

// logStatus logs the lines, each in its proxy's log, and gives their texts.
func (b *Balancer) logStatus(lines []statusLine) []string {
	texts := make([]string, len(lines))
	for i, line := range lines {
		log := b.loggers[line.proxy]
		if i == 0 || lines[i-1].proxy != line.proxy {
			log.Message(tcplog.Notice, "SIGHUP received, dumping servers states for proxy "+line.proxy+".")
		}
		if texts[i] = line.text; i%flushEvery == flushEvery-1 {
			b.shipper.Flush(flushTime) // there may be more servers than the log can have waiting
		}
		log.Message(tcplog.Notice, "SIGHUP: "+line.text)
	}
	return texts
}

// availability tells who serves.
func availability(proxy ProxySnapshot) string {
	st := proxy.Status
	panics := ""
	if st.Panics {
		panics = "; in panic, all are used"
	}
	switch {
	case len(proxy.Servers) == 0:
		return "has no servers"
	case st.Active > 0:
		return fmt.Sprintf("has %d active servers and %d backup servers available%s", st.Active, st.Backup, panics)
	case st.Backup > 0:
		return "is running on backup servers"
	}
	return "has no server available" + panics
}

// redirectNumbers tells what "option sockmap" did; nothing: it had nothing to do.
func redirectNumbers(c *[stats.Count]uint64) string {
	if c[stats.Redirected]+c[stats.RedirectFull]+c[stats.RedirectRefused] == 0 {
		return ""
	}
	return fmt.Sprintf("%d connections and %d bytes moved by the kernel, %d times back for a slow receiver, %d connections not taken for want of room, %d refused",
		c[stats.Redirected], c[stats.RedirectedBytes], c[stats.RedirectSlow], c[stats.RedirectFull], c[stats.RedirectRefused])
}

func queueNumbers(now int, q QueueSnapshot) string {
	average := time.Duration(0)
	if q.Waits > 0 {
		average = q.Waited / time.Duration(q.Waits)
	}
	return fmt.Sprintf("%d now, %d highest, %d looked again, %d at risk, %d requeued, %d granted directly, %d sent back, %d timed out, %d left, %d ms waited on average",
		now, q.Highest, q.LookedAgain, q.AtRisk, q.Requeued, q.Direct, q.SentBack, q.TimedOut, q.Left, average.Milliseconds())
}

// nameLines tells what is known of the names of servers with "resolvers", and how old it is.
func nameLines(names []NameStatus, now time.Time) []statusLine {
	var lines []statusLine
	for _, n := range names {
		known := "has no address"
		if n.Addr.IsValid() {
			known = fmt.Sprintf("is %s", netip.AddrPortFrom(n.Addr, n.Port))
		}
		if n.Target != "" {
			known += " (" + n.Target + ")"
		}
		age := "no valid answer yet"
		if !n.Valid.IsZero() {
			age = fmt.Sprintf("last valid answer %d s ago", int(now.Sub(n.Valid)/time.Second))
		}
		if n.Stale {
			age += ", stale"
		}
		if n.Failure != resolver.OK {
			age += ": " + n.Failure.String()
		}
		lines = append(lines, statusLine{n.Backend, fmt.Sprintf("Server %s/%s: name %s %s, %s.", n.Backend, n.Server, n.Name, known, age)})
	}
	return lines
}
