package metrics

import (
	"math"
	"time"

	"github.com/sluice-lb/sluice/lb/queue"
	"github.com/sluice-lb/sluice/lb/stats"
)

// Families that HAProxy does not have.

var loopFamilies = []family{
	{name: "sluice_loop_flows", kind: gauge, help: "Flows of the loop that are open.", count: reading(func(e *entity) float64 { return float64(e.loop.Flows) })},
	{name: "sluice_loop_connections_total", kind: counter, help: "Connections that the loop has accepted.", count: reading(func(e *entity) float64 { return float64(e.loop.Accepted) })},
	{name: "sluice_loop_events_total", kind: counter, help: "Events that the loop has taken from the kernel.", count: reading(func(e *entity) float64 { return float64(e.loop.Events) })},
	{name: "sluice_loop_busy_seconds_total", kind: counter, help: "Time that the loop has worked.", count: reading(func(e *entity) float64 { return e.loop.Busy.Seconds() })},
	{name: "sluice_loop_waiting_seconds_total", kind: counter, help: "Time that the loop has waited for events.", count: reading(func(e *entity) float64 { return e.loop.Waiting.Seconds() })},
	{name: "sluice_loop_longest_gap_seconds", kind: gauge, help: "Longest time between two waits: so long an event may have waited for the loop. 'clear counters' begins anew.", count: reading(func(e *entity) float64 { return e.loop.LongestGap.Seconds() })},
	{name: "sluice_loop_gap_seconds", kind: histogram, help: "Times between two waits.", bounds: gapBounds[:], spread: loopGaps},
}

func reading(of func(*entity) float64) func(*entity, int) float64 {
	return func(e *entity, _ int) float64 { return of(e) }
}

// gapClasses are those of admin.Loop.Gaps that begin a bucket: 2^4 to 2^18 µs, each four times the one before.
var gapClasses = [...]int{4, 6, 8, 10, 12, 14, 16, 18}

var gapBounds = func() (all [len(gapClasses)]float64) {
	for i, class := range gapClasses {
		all[i] = math.Ldexp(1, class) / 1e6
	}
	return all
}()

func loopGaps(e *entity, classes []uint64) float64 {
	bucket := 0
	for i, n := range e.loop.Gaps {
		for bucket < len(gapClasses) && i > gapClasses[bucket] {
			bucket++
		}
		classes[bucket] += n
	}
	return e.loop.Busy.Seconds()
}

var logFamilies = []family{
	{name: "sluice_log_lines_dropped_total", kind: counter, help: "Log lines that were lost, by reason.", count: func(e *entity, _ int) float64 { return float64(e.number) }},
}

var programFamilies = []family{
	{name: "sluice_ebpf_connections_total", kind: counter, help: "Connections that a program in the kernel brought to a listening socket, or did not, by why, in the words of 'show ebpf'.", count: func(e *entity, _ int) float64 { return float64(e.number) }},
}

var guardFamilies = []family{
	{name: "sluice_guard_drops_total", kind: counter, help: "Packets that the source guard has dropped, by reason, in the words of 'show guard'.", count: func(e *entity, _ int) float64 { return float64(e.number) }},
}

var nameServerFamilies = []family{
	{name: "sluice_nameserver_events_total", kind: counter, help: "Questions to name servers and what came of them, in the words of 'show resolvers'.", count: func(e *entity, _ int) float64 { return float64(e.number) }},
}

var tenantFamilies = []family{
	{name: "sluice_tenant_current_flows", kind: gauge, help: "Flows that are open.", count: reading(func(e *entity) float64 { return float64(e.tenant.Flows.Value()) })},
	{name: "sluice_tenant_max_flows", kind: gauge, help: "Most flows that were open at once.", count: reading(func(e *entity) float64 { return float64(e.tenant.Flows.Highest()) })},
	{name: "sluice_tenant_limit_flows", kind: gauge, help: "Flows that may be open at once; 0: no limit.", count: reading(func(e *entity) float64 { return float64(e.tenant.MaxConn) })},
	{name: "sluice_tenant_waiting_flows", kind: gauge, help: "Flows that wait for a slot.", count: reading(func(e *entity) float64 { return float64(e.tenant.Waiting) })},
	{name: "sluice_tenant_connections_total", kind: counter, help: "Connections that were accepted.", count: one(stats.Connections)},
	{name: "sluice_tenant_bytes_in_total", kind: counter, help: "Bytes that came from clients.", count: one(stats.BytesIn)},
	{name: "sluice_tenant_bytes_out_total", kind: counter, help: "Bytes that went to clients.", count: one(stats.BytesOut)},
	{name: "sluice_tenant_throttled_total", kind: counter, help: "Times that a flow had to wait for the tenant's bandwidth.", count: one(stats.Throttled)},
	reasons("sluice_tenant_accept_pauses_total", "Times that accepting paused for the tenant's budget, by reason.", stats.LimitReached, stats.RateReached),
}

var ownFrontendFamilies = []family{
	reasons("sluice_frontend_lost_connections_total", "Connections that were lost before a backend had them, by reason.",
		stats.HeaderMalformed, stats.HeaderTimeout, stats.HeaderAborted, stats.AcceptFailed, stats.NoServer),
	reasons("sluice_frontend_accept_pauses_total", "Times that accepting paused, by reason. The connections wait in the kernel's backlog.",
		stats.LimitReached, stats.RateReached, stats.AcceptExhausted),
	reasons("sluice_frontend_ended_flows_total", "Flows that did not end in good order, by what ended them.",
		stats.ClientAborts, stats.ServerAborts, stats.ClientTimeouts, stats.ServerTimeouts, stats.Killed, stats.ServerDown, stats.BackupLeft),
	reasons("sluice_frontend_sockmap_events_total", "What 'option sockmap' did: flows that the kernel took, flows that it did not take because it had no room or refused them, and times that a direction went back to the loop because its receiver was slow.",
		stats.Redirected, stats.RedirectFull, stats.RedirectRefused, stats.RedirectSlow, stats.RedirectBroken),
	{name: "sluice_frontend_sockmap_bytes_total", kind: counter, help: "Bytes that the kernel moved by itself, both ways.", count: one(stats.RedirectedBytes)},
	{name: "sluice_frontend_spliced_bytes_total", kind: counter, help: "Bytes that were spliced, both ways.", count: one(stats.Spliced)},
}

var ownBackendFamilies = []family{
	reasons("sluice_backend_lost_flows_total", "Flows that never reached a server, by reason.",
		stats.NoServer, stats.QueueTimeouts, stats.QueueLeft, stats.ConnectFailed),
	reasons("sluice_backend_connect_failures_total", "Connects that failed, by reason. A flow may try several times.", connectFailures...),
	{name: "sluice_backend_queued_total", kind: counter, help: "Flows that had to wait for a slot.", count: one(stats.Queued)},
	{name: "sluice_backend_queue_events_total", kind: counter, help: "What the queue has counted: waiters that looked again for a slot once they were seen, of these those that found one (at risk) and those that took it themselves (requeued); those that were handed one (granted); those whose server went (sent back).",
		label: "event", names: queueEvents, count: func(e *entity, i int) float64 { return float64(queueEvent(e.proxy.Backend.QueueCounts(), i)) }},
	taken("sluice_backend_queue_time_seconds", "Times that flows which reached a server waited for a slot, most of them 0.", stats.QueueTime),
	taken("sluice_backend_connect_time_seconds", "Times from the slot to the connection, with all attempts.", stats.ConnectTime),
	taken("sluice_backend_session_time_seconds", "Times from accept to close of flows that reached a server.", stats.TotalTime),
}

var ownServerFamilies = []family{
	reasons("sluice_server_connect_failures_total", "Connects that failed, by reason. A flow may try several times.", connectFailures...),
	{name: "sluice_server_queue_events_total", kind: counter, help: "What the server's own queue has counted, as sluice_backend_queue_events_total. Servers that have no limit and had no waiter have none.",
		label: "event", names: queueEvents, count: func(e *entity, i int) float64 {
			if s := e.server; s.MaxConn() != 0 || s.HighestQueue() != 0 {
				return float64(queueEvent(s.QueueCounts(), i))
			}
			return absent
		}},
	taken("sluice_server_queue_time_seconds", "Times that flows which reached the server waited for a slot, most of them 0.", stats.QueueTime),
	taken("sluice_server_connect_time_seconds", "Times from the slot to the connection, with all attempts.", stats.ConnectTime),
	{name: "sluice_server_path_samples_total", kind: counter, help: "Flows whose connection to the server was looked at when they ended: of each loop 100 a second at most.", count: one(stats.PathSamples)},
	{name: "sluice_server_path_round_trip_seconds_total", kind: counter, help: "Sum of the samples' round trips, as the kernel smooths them.", count: func(e *entity, _ int) float64 { return float64(e.stats.Sum(stats.PathRoundTrip)) / 1e6 }},
	{name: "sluice_server_path_segments_total", kind: counter, help: "Segments with data that the samples' connections have sent to the server.", count: one(stats.PathSegments)},
	{name: "sluice_server_path_retransmits_total", kind: counter, help: "Segments that they have sent again.", count: one(stats.PathRetransmits)},
	taken("sluice_server_session_time_seconds", "Times from accept to close of flows that reached the server.", stats.TotalTime),
}

var connectFailures = []stats.ID{stats.ConnectRefused, stats.ConnectUnreached, stats.ConnectTimeouts, stats.ConnectReset, stats.ConnectLocal}

// reasons is a family with one sample for each of some counters, which keep the names that the log has for them.
func reasons(name, help string, ids ...stats.ID) family {
	f := family{name: name, kind: counter, help: help, label: "reason", count: func(e *entity, i int) float64 { return float64(e.stats.Sum(ids[i])) }}
	for _, id := range ids {
		f.names = append(f.names, stats.Names[id])
	}
	return f
}

func one(id stats.ID) func(*entity, int) float64 {
	return func(e *entity, _ int) float64 { return float64(e.stats.Sum(id)) }
}

var queueEvents = []string{"looked_again", "at_risk", "requeued", "granted", "sent_back"}

func queueEvent(c queue.Counts, i int) uint64 {
	return [...]uint64{c.LookedAgain, c.AtRisk, c.Requeued, c.Direct, c.SentBack}[i]
}

// taken is a histogram of one of the flows' times.
func taken(name, help string, kind stats.Time) family {
	f := family{name: name, kind: histogram, help: help, spread: func(e *entity, classes []uint64) float64 {
		counted, sum := e.stats.ClassesOf(kind)
		copy(classes, counted[:])
		return sum.Seconds()
	}}
	for _, bound := range stats.TimeBounds[kind] {
		f.bounds = append(f.bounds, float64(bound)/float64(time.Second))
	}
	return f
}
