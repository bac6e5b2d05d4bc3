package metrics

import (
	"bufio"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"github.com/sluice-lb/sluice/lb/admin"
)

// Bounds of scrapes.
const (
	mostScrapes = 4                // at once; one more is told to come again
	longest     = 60 * time.Second // and shorter if Prometheus says so
	piece       = 32 << 10         // bytes that are collected before they are sent
)

// Exporter answers scrapes. Any number of goroutines may call it.
type Exporter struct {
	cli     *admin.CLI
	process admin.Process
	runtime prometheus.Gatherer
	places  chan struct{}
}

// New makes the handler of /metrics: what c and p know, and what client_golang tells of Go's runtime and of the process. It must
// be called once for a process.
func New(c *admin.CLI, p admin.Process) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return &Exporter{cli: c, process: p, runtime: registry, places: make(chan struct{}, mostScrapes)}
}

// ServeHTTP answers one scrape, in Prometheus' text format and with gzip where the client takes that. It ends after as long as the
// client says that it waits, and a minute at most, however slowly the client reads.
func (x *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "Only GET and HEAD.", http.StatusMethodNotAllowed)
		return
	}
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case x.places <- struct{}{}:
		defer func() { <-x.places }()
	default:
		w.Header().Set("Retry-After", "1")
		http.Error(w, "Too many scrapes at once.", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Add("Vary", "Accept-Encoding")
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(patience(r))) // not every test's writer can
	var to io.Writer = w
	end := func() error { return nil }
	if takesGzip(r.Header.Values("Accept-Encoding")) {
		w.Header().Set("Content-Encoding", "gzip")
		packed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		to, end = packed, packed.Close
	}
	if r.Method == http.MethodHead {
		return
	}
	out := bufio.NewWriterSize(to, piece)
	err = x.write(out, q)
	if err == nil {
		err = out.Flush()
	}
	if err == nil {
		err = end()
	}
	if err == nil {
		err = control.Flush()
	}
	if err != nil { // a part must not pass for the whole
		panic(http.ErrAbortHandler)
	}
	_ = control.SetWriteDeadline(time.Time{})
}

// write sends all that is wanted.
func (x *Exporter) write(out *bufio.Writer, q *query) error {
	s := x.take(q)
	b := newFiller()
	for _, t := range tables {
		if !q.scopes[t.scope] {
			continue
		}
		for i := range t.families {
			if f := &t.families[i]; q.wants(f.name) {
				if err := b.write(out, f, s[t.group]); err != nil {
					return err
				}
			}
		}
	}
	if !q.scopes[ofRuntime] {
		return nil
	}
	all, err := x.runtime.Gather()
	if err != nil {
		return err
	}
	for _, f := range all {
		if q.wants(f.GetName()) {
			if _, err := expfmt.MetricFamilyToText(out, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// patience is how long the client says that it waits.
func patience(r *http.Request) time.Duration {
	said, err := strconv.ParseFloat(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || !(said > 0) || said > longest.Seconds() {
		return longest
	}
	return time.Duration(said * float64(time.Second))
}

// takesGzip reads Accept-Encoding (RFC 9110, 12.5.3): what is said of gzip goes before what is said of all.
func takesGzip(values []string) bool {
	takes := false
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			coding, quality, _ := strings.Cut(part, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding != "gzip" && coding != "*" {
				continue
			}
			q, said := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(quality), " ", ""), "q=")
			n, err := strconv.ParseFloat(q, 64)
			takes = !said || err != nil || n > 0
			if coding == "gzip" {
				return takes
			}
		}
	}
	return takes
}
