//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

func TestCommandLine(t *testing.T) {
	for _, test := range []struct {
		arguments string
		code      int
		told      string // part of what is written, to either
	}{
		{"help", 0, "Commands:"},
		{"rac", 2, "there is no command 'rac'"},
		{"race -h", 0, "Usage: bench race"},
		{"race -recheck maybe", 2, "-recheck is a list of on and off"},
		{"race -loops 4,x", 2, "'4,x' is not a list of numbers"},
		{"race -servers 0", 2, "'0' is not a list of numbers"},
		{"race -load heavy", 2, "-load is rounds or steady"},
		{"race -timeout-queue 1ms", 2, "out of range"},
		{"race -nonsense", 2, "not defined: -nonsense"},
		{"race more", 2, "unexpected argument 'more'"},
		{"race -balancer /nonexistent", 1, "/nonexistent"},
		{"race -config /nonexistent", 1, "/nonexistent"},
	} {
		var written bytes.Buffer
		if code := run(strings.Fields(test.arguments), &written, &written); code != test.code || !strings.Contains(written.String(), test.told) {
			t.Errorf("%q: exit code %d, want %d; want %q in:\n%s", test.arguments, code, test.code, test.told, &written)
		}
	}
	if _, err := parseRace([]string{"-h"}, io.Discard); err != flag.ErrHelp {
		t.Errorf("-h: %v", err)
	}
}

func TestEstimate(t *testing.T) {
	r := raceRow{loadResult: loadResult{Requests: 1_000_000, Stuck: 6, Incidents: 3, Elapsed: 100 * time.Second}, Queue: &queueCounters{AtRisk: 2000}}
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
	none := raceRow{loadResult: loadResult{Requests: 1_000_000}}
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
	if got, want := *sumCounters(status), (queueCounters{LookedAgain: 11, AtRisk: 4, Requeued: 2, Direct: 7, TimedOut: 7}); got != want {
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

// A short run against the real program: requests flow, none is stuck, no server gets more than one connection. With its
// recheck off and its steps held up, some are stuck: so the measurement can tell.
func TestRace(t *testing.T) {
	for _, test := range []struct {
		name, arguments string
		stuck           bool
	}{
		{"recheck", "-seconds 0.7 -lanes 4 -loops 4 -servers 1,2", false},
		{"steady", "-seconds 0.7 -lanes 4 -loops 2 -load steady -balance source", false},
		{"no recheck", "-seconds 3 -lanes 8 -loops 4 -recheck off -yields 10 -timeout-queue 300ms", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, remarks bytes.Buffer
			if code := run(append([]string{"race", "-json"}, strings.Fields(test.arguments)...), &out, &remarks); code != 0 {
				t.Fatalf("exit code %d:\n%s%s", code, &out, &remarks)
			}
			var rows []raceRow
			if err := json.Unmarshal(out.Bytes(), &rows); err != nil || len(rows) == 0 {
				t.Fatalf("%v in %s", err, &out)
			}
			for _, r := range rows {
				if r.Requests < 100 || r.OverLimit > 0 || r.Failed > 0 || (r.Stuck > 0) != test.stuck {
					t.Errorf("%+v", r)
				}
				if r.Queue == nil || r.Queue.TimedOut != r.Stuck || r.States["sQ"] != r.Stuck {
					t.Errorf("%d stuck, but %+v, %v", r.Stuck, r.Queue, r.States)
				}
				if !test.stuck && (r.Queue.LookedAgain == 0 || r.Queue.Requeued+r.Queue.Direct != r.Queue.LookedAgain) {
					t.Errorf("of those who waited some got no slot: %+v", r.Queue)
				}
			}
		})
	}
}

// cancelling cancels some time after the first remark, which is that a row begins.
type cancelling struct {
	bytes.Buffer
	cancel func()
}

func (c *cancelling) Write(p []byte) (int, error) {
	if c.Len() == 0 {
		time.AfterFunc(700*time.Millisecond, c.cancel)
	}
	return c.Buffer.Write(p)
}

// When it is interrupted, a run gives what it has.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o, err := parseRace(strings.Fields("-seconds 100 -requests 0 -loops 2,2 -lanes 2"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	rows, err := race(ctx, o, &cancelling{cancel: cancel})
	if err != nil || len(rows) != 1 || rows[0].Requests == 0 || rows[0].Failed > 0 || rows[0].Queue == nil {
		t.Errorf("%v, %d rows", err, len(rows))
	}
	if lasted := time.Since(began); lasted > 30*time.Second {
		t.Errorf("ended after %v", lasted)
	}
}
