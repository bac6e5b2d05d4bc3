//go:build linux

package race

import (
	"testing"
	"time"
)

func TestEstimate(t *testing.T) {
	r := Row{LoadResult: LoadResult{Requests: 1_000_000, Stuck: 6, Incidents: 3, Elapsed: 100 * time.Second}, Queue: &QueueCounters{AtRisk: 2000}}
	r.estimate()
	if r.Rate != 10000 || r.StuckPerMillion[0] != 6 || r.AtRiskPerThousand[0] != 2 {
		t.Errorf("%+v", r)
	}
	// Three independent incidents (0.62 to 8.77 by Poisson's distribution) of two requests each.
	if low, high := r.StuckPerMillion[1], r.StuckPerMillion[2]; low < 1.23 || low > 1.24 || high < 17.5 || high > 17.6 {
		t.Errorf("stuck: %g to %g", low, high)
	}
	if low, high := r.AtRiskPerThousand[1], r.AtRiskPerThousand[2]; low < 1.9 || low > 2 || high < 2 || high > 2.1 {
		t.Errorf("at risk: %g to %g", low, high)
	}
	none := Row{LoadResult: LoadResult{Requests: 1_000_000}}
	none.estimate()
	if none.StuckPerMillion[0] != 0 || none.StuckPerMillion[1] != 0 || none.StuckPerMillion[2] < 3.68 || none.StuckPerMillion[2] > 3.70 {
		t.Errorf("no event: %v", none.StuckPerMillion)
	}
}

func TestSumCounters(t *testing.T) {
	const status = `[WARNING]  (7) : SIGHUP: Server lane0/s0 is no check. Conn: 1 act, 2 pend, 6 tot.
[WARNING]  (7) : SIGHUP: Server lane0/s0 queue: 2 now, 2 highest, 2 looked again, 1 at risk, 0 requeued, 2 granted directly, 0 sent back.
[WARNING]  (7) : SIGHUP: Proxy lane0 has 1 servers. Conn: 3 act, 9 tot. Bytes: 1 in, 2 out.
[WARNING]  (7) : SIGHUP: Proxy lane0 queue: 1 now, 5 highest, 8 looked again, 3 at risk, 2 requeued, 4 granted directly, 1 sent back, 7 timed out.
[WARNING]  (7) : SIGHUP: Proxy lane1 queue: 0 now, 1 highest, 1 looked again, 0 at risk, 0 requeued, 1 granted directly, 0 sent back, 0 timed out.
`
	if got, want := *sumCounters(status), (QueueCounters{LookedAgain: 11, AtRisk: 4, Requeued: 2, Direct: 7, TimedOut: 7}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestTerminationState(t *testing.T) {
	for line, want := range map[string]string{
		`<134>Oct 18 12:00:01 haproxy[7]: 127.0.0.1:4711 [18/Oct/2026:12:00:00.000] lane0 lane0/<NOSRV> 2000/-1/2000 0 sQ 3/1/0/0/0 0/1`: "sQ",
		`<134>Oct 18 12:00:01 sluice[7]: 127.0.0.1:4711 [18/Oct/2026:12:00:00.000] lane0 lane0/s0 0/0/2 1 -- 3/1/0/0/0 0/0`:              "--",
		`<134>Oct 18 12:00:01 haproxy[7]: Proxy lane0 started.`:                                                                          "",
	} {
		got := ""
		if found := terminationState.FindStringSubmatch(line); found != nil {
			got = found[1]
		}
		if got != want {
			t.Errorf("%q in %s", got, line)
		}
	}
}
