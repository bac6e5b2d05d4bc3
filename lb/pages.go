package lb

import (
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/lb/metrics"
	"github.com/sluice-lb/sluice/lb/page"
	"github.com/sluice-lb/sluice/lb/stats"
	"github.com/sluice-lb/sluice/lb/tcplog"
	"github.com/sluice-lb/sluice/poller"
)

// webPage is one statistics listener, with the sockets that it was opened with: they can be taken out of LISTEN.
type webPage struct {
	server  *page.Server
	sockets []webSocket
	counts  page.Counts
	binds   []admin.Bind
}

// webSocket is a socket that Go's net accepts from, on a descriptor of its own; with this one it is taken out of LISTEN.
type webSocket struct {
	*poller.Listener
	file *os.File // owns the listener's descriptor
}

// hasPages tells whether a configuration has statistics listeners.
func hasPages(cfg *config.Config) bool {
	for _, p := range cfg.Proxies {
		if !p.Disabled && p.IsPage() {
			return true
		}
	}
	return len(cfg.Global.StatsListens) > 0
}

// measured tells whether someone can look at what the loops' turns take.
func measured(cfg *config.Config) bool { return len(cfg.Global.StatsSockets) > 0 || hasPages(cfg) }

// pageFrontend makes the frontend's row of a statistics listener; its sockets come later.
func (a *administration) pageFrontend(p *config.Proxy) *admin.Frontend {
	w := &webPage{counts: page.Counts{Stats: stats.New(1), Flows: new(stats.Gauge)}}
	a.pages[p] = w
	limit := new(atomic.Int64)
	limit.Store(int64(pageMaxConn(p)))
	x := &admin.Frontend{
		Stats: w.counts.Stats, Flows: w.counts.Flows, State: a.frontendState(p),
		Limit: func() int { return int(limit.Load()) },
		SetMaxConn: func(n int) {
			if n > 0 {
				limit.Store(int64(n))
				w.server.SetMaxConn(n)
			}
		},
	}
	for _, b := range p.Binds {
		x.Binds = append(x.Binds, admin.Bind{
			ID: b.ID, Name: b.Name, Address: b.Address.String(), Stats: stats.New(1), Flows: new(stats.Gauge),
		})
	}
	w.binds = x.Binds
	return x
}

// pageMaxConn is how many connections a statistics listener takes at once.
func pageMaxConn(p *config.Proxy) int {
	if p.MaxConn > 0 {
		return p.MaxConn
	}
	return page.DefaultMaxConn
}

// openPages opens the statistics listeners' sockets.
func (a *administration) openPages() error {
	if !hasPages(a.config) {
		return nil
	}
	var errs []error
	exporter := metrics.New(a.cli, a)
	for _, p := range a.config.Proxies {
		if w := a.pages[p]; w != nil {
			errs = append(errs, a.openPage(p, w, exporter))
		}
	}
	for _, l := range a.config.Global.StatsListens {
		site := page.NewSite(page.Options{CLI: a.cli, Page: l.Page, Alone: true, Metrics: exporter, Say: a.sayPage(a.logger)})
		w := &webPage{server: page.NewServer(site, nil, page.Limits{MaxConn: l.MaxConn})}
		a.listens = append(a.listens, w)
		if err := w.open(a.spaces, a.config, &config.Proxy{}, &l.Bind); err != nil {
			errs = append(errs, at(l.Pos, "stats listen %s: %w", l.Bind.Address, err))
		}
	}
	return errors.Join(errs...)
}

func (a *administration) openPage(p *config.Proxy, w *webPage, exporter http.Handler) error {
	keepAlive := p.Timeouts.HTTPKeepAlive
	if keepAlive == 0 {
		keepAlive = p.Timeouts.Client
	}
	site := page.NewSite(page.Options{
		CLI: a.cli, Page: p.Page, Metrics: exporter, Exporter: p.Exporter, MonitorURI: p.MonitorURI, Say: a.sayPage(a.loggers[p.Name]),
	})
	w.server = page.NewServer(site, &w.counts, page.Limits{MaxConn: pageMaxConn(p), Request: p.Timeouts.HTTPRequest, KeepAlive: keepAlive})
	var errs []error
	for i, b := range p.Binds {
		bind := &w.binds[i]
		if err := w.open(a.spaces, a.config, p, b, w.counts, page.Counts{Stats: bind.Stats, Flows: bind.Flows}); err != nil {
			errs = append(errs, at(b.Pos, "cannot listen for '%s' on %s: %w", p.Name, b.Address, err))
		}
	}
	return errors.Join(errs...)
}

// open opens one socket. There is one for all of a bind's connections: they are few, and no loop takes them.
func (w *webPage) open(spaces *namespaces, cfg *config.Config, p *config.Proxy, b *config.Bind, counts ...page.Counts) error {
	socket, listener, err := openPlain(spaces, cfg, p, b)
	if err != nil {
		return err
	}
	w.sockets = append(w.sockets, socket)
	w.server.Listen(listener, counts...)
	return nil
}

// openPlain opens a bind's socket for Go's net, in its network namespace.
func openPlain(spaces *namespaces, cfg *config.Config, p *config.Proxy, b *config.Bind) (socket webSocket, listener net.Listener, err error) {
	options, err := listenOptions(cfg, p, b)
	if err != nil {
		return socket, nil, err
	}
	options.ReusePort = true // the process before this one still answers there
	addr, err := listenAddr(b.Address)
	if err != nil {
		return socket, nil, err
	}
	made, err := spaces.listenIn(b.Namespace, func() ([]*poller.Listener, error) { return listenAll(b, addr, options, 1) })
	if err != nil {
		return socket, nil, err
	}
	socket.Listener = made[0]
	socket.file = os.NewFile(uintptr(socket.FD()), b.Address.String())
	if listener, err = net.FileListener(socket.file); err != nil {
		socket.file.Close()
	}
	return socket, listener, err
}

// sayPage tells of changes that were made, or tried, from a page.
func (a *administration) sayPage(logger *tcplog.Logger) func(bool, string) {
	return func(refused bool, text string) {
		if refused {
			logger.Message(tcplog.Warning, text)
			return
		}
		logger.Message(tcplog.Notice, text)
	}
}

// set pauses, resumes or ends a statistics listener. While it is paused its port is free; who is connected stays.
func (w *webPage) set(to admin.FrontendState) error {
	switch to {
	case admin.Stopped:
		w.server.StopListening()
		for _, s := range w.sockets {
			s.file.Close()
		}
	case admin.Paused:
		w.server.Rest(true)
		for _, s := range w.sockets {
			if err := s.Suspend(); err != nil {
				return errors.Join(err, w.set(admin.Open))
			}
		}
	case admin.Open:
		for _, s := range w.sockets {
			if err := s.Listen(); err != nil {
				return err
			}
		}
		w.server.Rest(false)
	}
	return nil
}

// eachPage does something to all servers of pages.
func (a *administration) eachPage(do func(*page.Server)) {
	for _, w := range a.pages {
		if w.server != nil {
			do(w.server)
		}
	}
	for _, w := range a.listens {
		do(w.server)
	}
}
