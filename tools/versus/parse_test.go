package main

import (
	"maps"
	"slices"
	"testing"
	"time"
)

const wrkWell = `Running 2s test @ http://127.0.0.1:9121/
  1 threads and 200 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    12.03ms    1.11ms  31.20ms   90.11%
    Req/Sec    15.62k   402.11    16.01k    80.00%
  31300 requests in 2.01s, 4.78MB read
Requests/sec:  15572.66
Transfer/sec:      2.38MB
`

func TestParseWrk(t *testing.T) {
	for _, c := range []struct {
		name, output string
		want         wrkResult
		fails        bool
	}{
		{"well", wrkWell, wrkResult{31300, ""}, false},
		{"socket errors", "  99 requests in 2.00s, 1MB read\n  Socket errors: connect 0, read 31, write 0, timeout 2\nRequests/sec: 49\n",
			wrkResult{99, "Socket errors: connect 0, read 31, write 0, timeout 2"}, false},
		{"both kinds", "  99 requests in 2.00s, 1MB read\n  Socket errors: connect 1, read 0, write 0, timeout 0\n  Non-2xx or 3xx responses: 12\n",
			wrkResult{99, "Socket errors: connect 1, read 0, write 0, timeout 0; Non-2xx or 3xx responses: 12"}, false},
		{"no answers", "  0 requests in 2.00s, 0.00B read\n", wrkResult{0, "no answers"}, false},
		{"not wrk", "unable to connect to 127.0.0.1:1 Connection refused\n", wrkResult{}, true},
	} {
		got, err := parseWrk(c.output)
		if (err != nil) != c.fails || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v, fails %v", c.name, got, err, c.want, c.fails)
		}
	}
}

func TestParseSchedstat(t *testing.T) {
	ran, waited, err := parseSchedstat("123456789 42 7\n")
	if err != nil || ran != 123456789*time.Nanosecond || waited != 42 {
		t.Errorf("%v, %v, %v", ran, waited, err)
	}
	for _, bad := range []string{"", "1 2", "x 2 3", "1 y 3"} {
		if _, _, err := parseSchedstat(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseStat(t *testing.T) {
	// A name may hold spaces and parentheses.
	user, system, err := parseStat("17455 (a) R 1 (b) S 17436 17436 16440 0 -1 4194304 132 0 0 0 31 77 0 0 20 0 1 0 248381 3133440 413\n")
	if err != nil || user != 31 || system != 77 {
		t.Errorf("%d, %d, %v", user, system, err)
	}
	for _, bad := range []string{"", "1 (x) S 1 2", "17455 (x) S 1 1 1 0 -1 4194304 132 0 0 0 a 77 0 0"} {
		if _, _, err := parseStat(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseCore(t *testing.T) {
	const text = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 100 20 5 6 7 1 2\ncpu10 8 8 8 8 8 8 8 8 8 8\ncpu1 0 0 0 50 0 0 0 50 0 0\nintr 1\n"
	c, err := parseCore(text, 0)
	if want := (core{idle: 120, stolen: 7, total: 144}); err != nil || c != want {
		t.Errorf("core 0: %+v, %v; want %+v", c, err, want)
	}
	c, err = parseCore(text, 1)
	if err != nil || c.idleShare() != 0.5 || c.stolenShare() != 0.5 {
		t.Errorf("core 1: %+v, %v", c, err)
	}
	if _, err := parseCore(text, 2); err == nil {
		t.Error("core 2 was found")
	}
	if (core{}).idleShare() != 0 || (core{}).stolenShare() != 0 {
		t.Error("shares of no time are not 0")
	}
}

func TestParseStrace(t *testing.T) {
	const output = `strace: Process 12 attached with 3 threads
strace: Process 12 detached
syscall              calls    errors
---------------- --------- ---------
recvfrom             13000        10
sendto               12990
futex                    1         1
---------------- --------- ---------
total                25991        11
`
	got, err := parseStrace(output)
	want := map[string]callCount{"recvfrom": {13000, 10}, "sendto": {12990, 0}, "futex": {1, 1}}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	for _, bad := range []string{"", "strace: attach: Operation not permitted\n", "---- ----\nrecvfrom 1\n", "---- ----\nrecvfrom x\n---- ----\n"} {
		if got, err := parseStrace(bad); err == nil {
			t.Errorf("%q was taken: %v", bad, got)
		}
	}
}

func TestParseSymbols(t *testing.T) {
	const report = `# Overhead  Symbol
# ........  ......
#
    17.44%  [k] _raw_spin_unlock_irqrestore
     3.10%  [.] github.com/sluice-lb/sluice/lb/flow.(*Flow).move
     0.31%  [k] 0xffffffff81000000

`
	want := []symbol{{"[k] _raw_spin_unlock_irqrestore", 17.44}, {"github.com/sluice-lb/sluice/lb/flow.(*Flow).move", 3.10}, {"[k] 0xffffffff81000000", 0.31}}
	if got := parseSymbols(report); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	} else if own := outsideKernel(got); own != 3.10 {
		t.Errorf("%v %% outside the kernel, want 3.10", own)
	}
}

func TestParseSamples(t *testing.T) {
	for report, want := range map[string]float64{
		"#\n# Samples: 17  of event 'cpu-clock'\n": 17, "# Samples: 3K of event 'cpu-clock'\n": 3000, "# Samples: 1M of event": 1e6, "": 0, "# Samples: many of": 0,
	} {
		if got := parseSamples(report); got != want {
			t.Errorf("parseSamples(%q) = %v, want %v", report, got, want)
		}
	}
}
