//go:build linux

package runner

import (
	"math"
	"testing"
)

func TestParseWrk(t *testing.T) {
	const text = `Running 1s test @ http://127.0.0.1:8000/
  1 threads and 10 connections
  Latency Distribution
     50%  143.00us
     75%  150.00us
     90%  200.00us
     99%    1.20ms
  60000 requests in 1.10s, 9.30MB read
Requests/sec:  54545.45
Transfer/sec:      8.46MB
`
	got, err := parseWrk([]byte(text), 0.9)
	if err != nil || got["rate"] != 54545.45 || got["p50"] != 143 || math.Abs(got["p99"]-1200) > 1e-9 || math.Abs(got["cpu"]-15) > 1e-9 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parseWrk([]byte("unable to connect"), 1); err == nil {
		t.Error("took an error for a result")
	}
}

func TestParseIperf(t *testing.T) {
	got, err := parseIperf([]byte(`{"end":{"sum_received":{"bytes":4e9,"seconds":2,"bits_per_second":1.6e10}}}`), 1)
	if err != nil || got["rate"] != 2 || got["cpu"] != 250 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{`{"error":"unable to connect"}`, "no JSON"} {
		if _, err := parseIperf([]byte(bad), 1); err == nil {
			t.Errorf("took %s for a result", bad)
		}
	}
}
