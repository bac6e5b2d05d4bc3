package page

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/config"
)

// Options of a Site.
type Options struct {
	CLI  *admin.CLI
	Page config.Page // Page.Enabled: there is a page
	// Metrics answers requests that meet one of Exporter, before a password is asked for; nil: they get 503.
	Metrics    http.Handler
	Exporter   []config.Condition
	MonitorURI string // answers 200 to anyone; empty: none
	// Alone: there is nothing else at this address, so "/" leads to the page, and "/metrics" is there for who may see the page.
	Alone bool
	// Say is told of changes, and with refused set of those that were forged; nil: nobody is.
	Say func(refused bool, text string)
}

// Site answers the requests of one page. Any goroutine may use it.
type Site struct {
	options Options
	page    *config.Page
	columns *columns
	token   tokens
	origin  *http.CrossOriginProtection
	forged  atomic.Uint64 // changes that were refused because they did not come from the page
	data    dataCache
}

// NewSite makes one.
func NewSite(o Options) *Site {
	if o.Say == nil {
		o.Say = func(bool, string) {}
	}
	return &Site{options: o, page: &o.Page, columns: findColumns(), token: newTokens(), origin: http.NewCrossOriginProtection()}
}

// ServeHTTP answers one request.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	source, path, uri := sourceOf(r), r.URL.Path, r.URL.RequestURI()
	isPage := s.page.Enabled && strings.HasPrefix(uri, s.page.URI)
	switch {
	case s.options.MonitorURI != "" && path == s.options.MonitorURI:
		if allow(w, r, http.MethodGet, http.MethodHead) {
			text(w, http.StatusOK, "alive\n")
		}
	case meets(s.options.Exporter, source, path):
		s.metrics(w, r)
	case isPage, s.options.Alone && path == "/metrics":
		user, ok := s.authenticate(w, r)
		switch {
		case !ok:
		case !isPage:
			s.metrics(w, r)
		default:
			s.servePage(w, r, visitor{user, source, meets(s.page.Admin, source, path)}, uri[len(s.page.URI):])
		}
	case s.options.Alone && path == "/" && s.page.Enabled:
		http.Redirect(w, r, s.page.URI, http.StatusFound)
	default:
		text(w, http.StatusNotFound, "There is nothing here.\n")
	}
}

// visitor is who asks for the page.
type visitor struct {
	user   string
	source netip.Addr // invalid: a unix socket
	admin  bool       // may change something
}

func meets(conditions []config.Condition, source netip.Addr, path string) bool {
	return slices.ContainsFunc(conditions, func(c config.Condition) bool { return c.Met(source, path) })
}

// sourceOf is the client's address; invalid for a unix socket.
func sourceOf(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address, _ := netip.ParseAddr(host)
	return address.WithZone("")
}

func (s *Site) metrics(w http.ResponseWriter, r *http.Request) {
	if s.options.Metrics == nil {
		text(w, http.StatusServiceUnavailable, "There are no metrics.\n")
		return
	}
	if allow(w, r, http.MethodGet, http.MethodHead) {
		s.options.Metrics.ServeHTTP(w, r)
	}
}

// wish is what stands behind the page's prefix, in HAProxy's words: ";csv;norefresh", "?scope=web".
type wish struct {
	format    string // "", "csv", "json", "typed", "data"
	up        bool
	noRefresh bool
	scope     string // part of the proxies' names
}

func parseWish(rest string) wish {
	var w wish
	for _, word := range strings.FieldsFunc(rest, func(c rune) bool { return strings.ContainsRune(";?&", c) }) {
		switch word {
		case "csv", "json", "typed", "data":
			w.format = word
		case "up":
			w.up = true
		case "norefresh":
			w.noRefresh = true
		default:
			if value, found := strings.CutPrefix(word, "scope="); found {
				w.scope, _ = url.QueryUnescape(value)
			}
		}
	}
	return w
}

// suits tells which proxies a visitor sees: those of "stats scope" whose names have the wished part.
func (s *Site) suits(w wish) func(*admin.Proxy) bool {
	return func(p *admin.Proxy) bool {
		return (len(s.page.Scope) == 0 || slices.Contains(s.page.Scope, p.Name)) && strings.Contains(p.Name, w.scope)
	}
}

func (s *Site) servePage(w http.ResponseWriter, r *http.Request, v visitor, rest string) {
	if !allow(w, r, http.MethodGet, http.MethodHead, http.MethodPost) {
		return
	}
	wished := parseWish(rest)
	switch {
	case r.Method == http.MethodPost:
		s.change(w, r, v)
	case wished.format == "":
		s.document(w, r, wished)
	case wished.format == "data":
		s.writeData(w, r, v, wished)
	default:
		s.script(w, r, wished)
	}
}

// interval is how often the page asks for data.
func (s *Site) interval() time.Duration {
	if s.page.Refresh > 0 {
		return s.page.Refresh
	}
	return defaultInterval
}

const defaultInterval = 2 * time.Second
