package metrics

import (
	"maps"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/stats"
)

// What is counted is exported, under the right name and in the right unit.
func TestValues(t *testing.T) {
	f := newFake(t, testConfig)
	fe, be := f.proxies[0].Frontend, f.proxies[1].Backend
	s1 := be.Servers()[0]
	fe.Stats.Add(0, stats.Sessions, 3)
	fe.Stats.Add(0, stats.Connections, 4)
	fe.Stats.Add(0, stats.HeaderMalformed, 5)
	fe.Stats.Add(0, stats.LimitReached, 6)
	fe.Stats.Add(0, stats.ClientTimeouts, 7)
	fe.Binds[0].Flows.Add(2)
	be.Stats.Add(0, stats.QueueTimeouts, 8)
	be.Stats.Add(0, stats.ConnectRefused, 9)
	s1.Stats.Add(0, stats.ConnectTimeouts, 10)
	s1.Stats.AddTime(0, stats.ConnectTime, 1500*time.Microsecond)
	s1.Stats.AddTime(0, stats.ConnectTime, time.Minute)
	all := scrape(t, exporter(f), "")
	for _, want := range []struct {
		name, labels string
		value        float64
	}{
		{"haproxy_process_nbthread", "", 1},
		{"haproxy_process_current_connections", "", 3},
		{"haproxy_process_start_time_seconds", "", 1000},
		{"haproxy_process_build_info", "version=9", 1},
		{"haproxy_process_dropped_logs_total", "", 5},
		{"haproxy_process_current_zlib_memory", "", math.NaN()},
		{"haproxy_frontend_sessions_total", "proxy=fe", 3},
		{"haproxy_frontend_connections_total", "proxy=fe", 4},
		{"haproxy_frontend_request_errors_total", "proxy=fe", 5},
		{"haproxy_frontend_limit_session_rate", "proxy=fe", 50},
		{"haproxy_frontend_status", "proxy=fe state=UP", 1},
		{"haproxy_frontend_status", "proxy=fe state=DOWN", 0},
		{"haproxy_listener_status", "proxy=fe listener=one state=FULL", 1},
		{"haproxy_listener_status", "proxy=fe listener=one state=OPEN", 0},
		{"haproxy_listener_status", "proxy=fe listener=sock-2 state=OPEN", 1},
		{"haproxy_backend_status", "proxy=be state=UP", 1},
		{"haproxy_backend_limit_sessions", "proxy=be", 10},
		{"haproxy_backend_agg_server_status", "proxy=be state=UP", 3},
		{"haproxy_backend_agg_server_status", "proxy=be state=MAINT", 1},
		{"haproxy_server_status", "proxy=be server=s2 state=UP", 1}, // "no check"
		{"haproxy_server_status", "proxy=be server=s3 state=MAINT", 1},
		{"haproxy_server_status", "proxy=be server=s3 state=UP", 0},
		{"haproxy_server_weight", "proxy=be server=s1", 10},
		{"haproxy_server_queue_limit", "proxy=be server=s1", 7},
		{"haproxy_server_queue_limit", "proxy=be server=s2", math.NaN()},
		{"haproxy_server_check_failures_total", "proxy=be server=s2", math.NaN()},
		{"haproxy_server_check_code", "proxy=be server=s1", 0},
		{"haproxy_server_check_status", "proxy=be server=s1 state=L4OK", 1},
		{"haproxy_server_check_status", "proxy=be server=s1 state=L7OK", 0},
		{"haproxy_server_check_duration_seconds", "proxy=be server=s1", 0.02},
		{"haproxy_backend_agg_check_status", "proxy=be state=L4OK", 1},
		{"haproxy_server_check_status", "proxy=be server=s4 state=L4OK", 0},
		{"haproxy_server_connect_time_average_seconds", "proxy=be server=s1", 30},
		{"haproxy_server_max_connect_time_seconds", "proxy=be server=s1", 60},
		{"haproxy_server_last_session_seconds", "proxy=be server=s1", -1},

		{"sluice_loop_busy_seconds_total", "loop=1", 2},
		{"sluice_loop_longest_gap_seconds", "loop=1", 0.001},
		{"sluice_log_lines_dropped_total", "reason=ring_full", 5},
		{"sluice_ebpf_connections_total", "feature=steering event=by_least", 9},
		{"sluice_ebpf_connections_total", "feature=steering event=hashed", 2},
		{"sluice_ebpf_connections_total", "feature=lookup event=given", 8},
		{"sluice_guard_drops_total", "reason=denied", 6},
		{"sluice_guard_drops_total", "reason=source_syn_rate", 5},
		{"sluice_guard_drops_total", "reason=prefix_syn_rate", 4},
		{"sluice_nameserver_events_total", "resolvers=dns nameserver=ns1 event=sent", 3},
		{"sluice_tenant_limit_flows", "tenant=blue", 5},
		{"sluice_tenant_waiting_flows", "tenant=blue", 2},
		{"sluice_frontend_lost_connections_total", "proxy=fe reason=header_malformed", 5},
		{"sluice_frontend_accept_pauses_total", "proxy=fe reason=limit_reached", 6},
		{"sluice_frontend_ended_flows_total", "proxy=fe reason=client_timeouts", 7},
		{"sluice_backend_lost_flows_total", "proxy=be reason=queue_timeouts", 8},
		{"sluice_backend_connect_failures_total", "proxy=be reason=connect_refused", 9},
		{"sluice_server_connect_failures_total", "proxy=be server=s1 reason=connect_timeouts", 10},
		{"sluice_server_queue_events_total", "proxy=be server=s1 event=granted", 0},
		{"go_goroutines", "", -1}, // some number
	} {
		switch _, v, found := find(all, want.name, want.labels); {
		case !found:
			t.Errorf("%s{%s} is not there", want.name, want.labels)
		case v != want.value && !(math.IsNaN(v) && math.IsNaN(want.value)) && !(want.name == "go_goroutines" && v > 0):
			t.Errorf("%s{%s} is %v, not %v", want.name, want.labels, v, want.value)
		}
	}
	for _, none := range [][2]string{
		{"haproxy_server_check_status", "proxy=be server=s2 state=L4OK"}, // not checked
		{"haproxy_server_check_code", "proxy=be server=s2"},
		{"haproxy_server_check_duration_seconds", "proxy=be server=s4"},
		{"sluice_server_queue_events_total", "proxy=be server=s2 event=granted"}, // no limit
	} {
		if _, _, found := find(all, none[0], none[1]); found {
			t.Errorf("%s{%s} is there", none[0], none[1])
		}
	}

	m, _, _ := find(all, "sluice_server_connect_time_seconds", "proxy=be server=s1")
	h := m.GetHistogram()
	if h.GetSampleCount() != 2 || h.GetSampleSum() != 60.0015 {
		t.Errorf("%d connects in %v s", h.GetSampleCount(), h.GetSampleSum())
	}
	for _, b := range h.GetBucket() {
		want := uint64(0)
		if b.GetUpperBound() >= 0.002 {
			want = 1
		}
		if math.IsInf(b.GetUpperBound(), 1) {
			want = 2
		}
		if b.GetCumulativeCount() != want {
			t.Errorf("%d connects up to %v s", b.GetCumulativeCount(), b.GetUpperBound())
		}
	}
	m, _, _ = find(all, "sluice_loop_gap_seconds", "loop=1")
	if h := m.GetHistogram(); h.GetSampleCount() != 10 || h.Bucket[0].GetUpperBound() != 16e-6 || h.Bucket[0].GetCumulativeCount() != 3 ||
		h.Bucket[1].GetCumulativeCount() != 6 || h.Bucket[len(gapClasses)-1].GetCumulativeCount() != 6 {
		t.Errorf("gaps: %v", h)
	}
}

func TestStates(t *testing.T) {
	f := newFake(t, testConfig)
	x := exporter(f)
	for state, want := range map[admin.FrontendState][2]float64{admin.Open: {1, 1}, admin.Paused: {1, 0}, admin.Stopped: {0, 0}} {
		f.mu.Lock()
		f.state = state
		f.mu.Unlock()
		all := scrape(t, x, "")
		_, up, _ := find(all, "haproxy_frontend_status", "proxy=fe state=UP")
		_, open, _ := find(all, "haproxy_listener_status", "proxy=fe listener=one state=OPEN")
		if up != want[0] || open != want[1] {
			t.Errorf("%v: frontend up %v, listener open %v", state, up, open)
		}
	}
}

// Every counter is exported under some name, so that none is forgotten.
func TestEveryCounterIsExported(t *testing.T) {
	f := newFake(t, testConfig)
	x := exporter(f)
	counters := func() map[string]bool {
		w := httptest.NewRecorder()
		x.ServeHTTP(w, httptest.NewRequest("GET", "/metrics?scope=global&scope=frontend&scope=backend&scope=server", nil))
		lines := make(map[string]bool)
		for line := range strings.Lines(w.Body.String()) {
			if name, _, _ := strings.Cut(line, "{"); strings.HasSuffix(name, "_total") {
				lines[line] = true
			}
		}
		return lines
	}
	before := counters()
	for id := range stats.Count {
		f.tenant.Stats.Add(0, id, 1000)
		f.proxies[0].Frontend.Stats.Add(0, id, 1000)
		f.proxies[1].Backend.Stats.Add(0, id, 1000)
		f.proxies[1].Backend.Servers()[0].Stats.Add(0, id, 1000)
		after := counters()
		if maps.Equal(before, after) {
			t.Errorf("nothing tells of %q: put it among the reasons in own.go, or wherever it belongs", stats.Names[id])
		}
		before = after
	}
}
