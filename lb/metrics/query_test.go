package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// What the parameters choose, as HAProxy 2.6 was seen to; "metrics" is from later versions.
func TestParameters(t *testing.T) {
	x := exporter(newFake(t, testConfig))
	for _, test := range []struct {
		query string
		parts string // prefixes of names that are there, of those in all
		maint bool   // the server in maintenance is there
	}{
		{"", "haproxy_process haproxy_frontend haproxy_listener haproxy_backend haproxy_server sluice_loop sluice_frontend sluice_backend sluice_server go_ process_", true},
		{"scope=*", "haproxy_process haproxy_frontend haproxy_listener haproxy_backend haproxy_server sluice_loop sluice_frontend sluice_backend sluice_server go_ process_", true},
		{"other=1", "haproxy_process haproxy_frontend haproxy_listener haproxy_backend haproxy_server sluice_loop sluice_frontend sluice_backend sluice_server go_ process_", true},
		{"scope=global", "haproxy_process sluice_loop", false},
		{"scope=global&scope=server", "haproxy_process haproxy_server sluice_loop sluice_server", true},
		{"scope=%73erver", "haproxy_server sluice_server", true},
		{"scope=listener", "haproxy_listener", false},
		{"scope=frontend&scope=backend", "haproxy_frontend haproxy_backend sluice_frontend sluice_backend", false},
		{"scope=runtime", "go_ process_", false},
		{"scope=", "", false},
		{"scope=server&scope=", "", false},
		{"scope=&scope=server", "haproxy_server sluice_server", true},
		{"scope=sticktable", "", false},
		{"scope=server&no-maint", "haproxy_server sluice_server", false},
		{"no-maint=1&scope=server", "haproxy_server sluice_server", false},
		{"metrics=haproxy_server_status,go_goroutines", "haproxy_server go_", true},
		{"scope=server&metrics=-haproxy_server_status,", "haproxy_server sluice_server", true},
		{"scope=backend&metrics=haproxy_server_status", "", false},
	} {
		all := scrape(t, x, test.query)
		for prefix := range strings.FieldsSeq("haproxy_process haproxy_frontend haproxy_listener haproxy_backend haproxy_server sluice_loop sluice_frontend sluice_backend sluice_server go_ process_") {
			there := false
			for name := range all {
				there = there || strings.HasPrefix(name, prefix)
			}
			if want := strings.Contains(" "+test.parts+" ", " "+prefix+" "); there != want {
				t.Errorf("%q: %s is there: %v", test.query, prefix, there)
			}
		}
		maint := false
		for name := range all {
			for _, m := range all[name].Metric {
				for _, l := range m.Label {
					maint = maint || l.GetValue() == "s3"
				}
			}
		}
		if maint != test.maint {
			t.Errorf("%q: the server in maintenance is there: %v", test.query, maint)
		}
		if _, found := all["haproxy_server_status"]; found && strings.Contains(test.query, "=-haproxy_server_status") {
			t.Errorf("%q: the family that was to be left out is there", test.query)
		}
	}
	for _, bad := range []string{"scope=bogus", "scope=GLOBAL", "scope", "scope=server;no-maint", "scope=%zz"} {
		w := httptest.NewRecorder()
		x.ServeHTTP(w, httptest.NewRequest("GET", "/metrics?"+bad, nil))
		if w.Code != 400 {
			t.Errorf("%q: %d", bad, w.Code)
		}
	}
}
