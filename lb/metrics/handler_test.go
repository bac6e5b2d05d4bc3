package metrics

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
)

func TestGzip(t *testing.T) {
	x := exporter(newFake(t, testConfig))
	for _, test := range []struct {
		accept string
		packed bool
	}{
		{"", false}, {"gzip", true}, {"deflate, gzip;q=1.0, *;q=0.5", true}, {"GZIP", true}, {"gzip;q=0", false}, {"br", false}, {"*", true}, {"gzip; q=0.0", false},
		{"*;q=0.5, gzip;q=0", false}, {"identity;q=0, gzip", true},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/metrics?scope=server", nil)
		r.Header.Set("Accept-Encoding", test.accept)
		x.ServeHTTP(w, r)
		var body io.Reader = w.Body
		if packed := w.Header().Get("Content-Encoding") == "gzip"; packed != test.packed {
			t.Errorf("%q: packed: %v", test.accept, packed)
		} else if packed {
			var err error
			if body, err = gzip.NewReader(w.Body); err != nil {
				t.Fatal(err)
			}
		}
		text, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(text), "\nsluice_server_session_time_seconds_count{") || !strings.HasSuffix(string(text), "\n") {
			t.Errorf("%q: %d bytes, %v", test.accept, len(text), err)
		}
	}
}

func TestAnswers(t *testing.T) {
	x := exporter(newFake(t, testConfig))
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405} {
		w := httptest.NewRecorder()
		x.ServeHTTP(w, httptest.NewRequest(method, "/metrics?scope=global", nil))
		if w.Code != want || want == 200 && w.Header().Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" ||
			(method == "GET") != strings.Contains(w.Body.String(), "haproxy_process_nbthread 1\n") {
			t.Errorf("%s: %d %v %.60q", method, w.Code, w.Header(), w.Body)
		}
	}
}

// One scrape more than there are places is told to come again, and the places are free afterwards.
func TestTooManyScrapes(t *testing.T) {
	x := exporter(newFake(t, testConfig))
	for range mostScrapes {
		x.places <- struct{}{}
	}
	w := httptest.NewRecorder()
	x.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	<-x.places
	scrape(t, x, "")
	if len(x.places) != mostScrapes-1 {
		t.Errorf("%d places are taken", len(x.places))
	}
}

// A client that does not read is given up after as long as it said that it would wait; meanwhile others get all.
func TestSlowScraper(t *testing.T) {
	x := exporter(farm(t, 100))
	server := httptest.NewUnstartedServer(x)
	server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		c.(*net.TCPConn).SetWriteBuffer(16 << 10) // else the kernel takes it all
		return ctx
	}
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 2\r\n\r\n")
	wait(t, "the slow scrape begins", func() bool { return len(x.places) == 1 })
	answer, err := http.Get(server.URL + "/metrics?scope=global")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(answer.Body); err != nil || !strings.Contains(string(text), "haproxy_process_nbthread") {
		t.Errorf("the other scrape: %d bytes, %v", len(text), err)
	}
	answer.Body.Close()
	wait(t, "the slow scrape is given up", func() bool { return len(x.places) == 0 })
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	text, err := io.ReadAll(conn) // what the kernel had taken
	if strings.HasSuffix(string(text), "\r\n0\r\n\r\n") {
		t.Errorf("%d bytes pass for the whole (%v)", len(text), err)
	}
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// The number of series follows from the configuration: traffic adds none. Those of a server that was removed are gone, and one that
// was added has as many.
func TestCardinality(t *testing.T) {
	f := newFake(t, testConfig)
	x := exporter(f)
	count := func() (all int, of map[string]int) {
		of = make(map[string]int)
		for _, family := range scrape(t, x, "scope=frontend&scope=listener&scope=backend&scope=server") {
			for _, m := range family.Metric {
				all++
				for _, l := range m.Label {
					if l.GetName() == "server" {
						of[l.GetValue()]++
					}
				}
			}
		}
		return all, of
	}
	before, of := count()
	be := f.proxies[1].Backend
	for id := range stats.Count {
		for _, s := range be.Servers() {
			s.Stats.Add(0, id, 7)
			s.Stats.AddTime(0, stats.TotalTime, time.Duration(id)*time.Second)
		}
	}
	if after, _ := count(); after != before || of["s2"] < 50 || of["s3"] != of["s2"] {
		t.Errorf("%d series before traffic, %d after; %v", before, after, of)
	}
	if err := be.Remove(be.Servers()[2]); err != nil {
		t.Fatal(err)
	}
	if after, now := count(); after != before-of["s3"] || now["s3"] != 0 {
		t.Errorf("without s3: %d series, %v", after, now)
	}
	c := *f.proxies[1].Servers[1]
	c.Name, c.ID = "s9", 9
	if _, err := be.Add(&c, true, nil); err != nil {
		t.Fatal(err)
	}
	if after, now := count(); after != before || now["s9"] != of["s2"] {
		t.Errorf("with s9: %d series, %v", after, now)
	}
}

// Families of more entities than are written at once have one head and all samples.
func TestManyEntities(t *testing.T) {
	const count = atOnce + 44
	x := exporter(farm(t, count))
	w := httptest.NewRecorder()
	x.ServeHTTP(w, httptest.NewRequest("GET", "/metrics?scope=server", nil))
	heads, samples := make(map[string]int), make(map[string]int)
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "# ") {
			heads[strings.Join(strings.Fields(line)[1:3], " ")]++
		} else {
			name, _, _ := strings.Cut(line, "{")
			samples[name]++
		}
	}
	for _, f := range append(slices.Clone(serverFamilies), ownServerFamilies...) {
		if help, kind := heads["HELP "+f.name], heads["TYPE "+f.name]; help != 1 || kind != 1 {
			t.Errorf("%s: %d times HELP, %d times TYPE", f.name, help, kind)
		}
	}
	for name, n := range samples {
		if n%count != 0 {
			t.Errorf("%d samples of %s", n, name)
		}
	}
	if len(samples) < 60 || len(heads) != 2*(len(serverFamilies)+len(ownServerFamilies)) {
		t.Errorf("%d names, %d heads", len(samples), len(heads))
	}
	h := headless{to: w.Body}
	w.Body.Reset()
	for _, part := range []string{"# TY", "PE x", " counter\nx 1", "\nx 2\n"} {
		if n, err := h.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%q: %d, %v", part, n, err)
		}
	}
	if w.Body.String() != "x 1\nx 2\n" {
		t.Errorf("%q", w.Body)
	}
}
