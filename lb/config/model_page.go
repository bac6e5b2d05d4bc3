package config

import "time"

// DefaultPageURI is where a statistics page is found without "stats uri".
const DefaultPageURI = "/haproxy?stats"

// Page is what the operator's web page shows, and to whom: the "stats" lines of a proxy in mode http, or a "stats listen" line.
type Page struct {
	Pos         Pos    // of its first line
	Enabled     bool   // false: there is none
	URI         string // what its addresses begin with: DefaultPageURI unless given
	Refresh     time.Duration
	Realm       string // empty: a built-in one
	Users       []PageUser
	Admin       []Condition // who may change something: whoever meets one of them
	HideVersion bool
	ShowLegends bool
	ShowNode    bool
	Node        string // empty: the global one
	ShowDesc    bool
	Description string   // empty: the global one
	Scope       []string // names of the proxies that are shown; empty: all

	inherited bool // from a defaults section, while the configuration is read
}

// PageUser is who may look at a page.
type PageUser struct {
	Name, Password string
}

// StatsListen is a "stats listen" line (an extension): a page, and metrics, without a proxy.
type StatsListen struct {
	Pos     Pos
	Bind    Bind
	MaxConn int // connections at once; 0: a built-in number
	Page    Page
}

// IsPage tells whether a proxy is a statistics listener: it is served by the operator's web server, and not by the loops.
func (p *Proxy) IsPage() bool {
	return p.HTTP && p.Kind&Frontend != 0 && (p.Page.Enabled || len(p.Exporter) > 0)
}
