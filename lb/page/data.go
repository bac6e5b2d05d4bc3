package page

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/lb/admin"
	"github.com/sluice-lb/sluice/lb/stats"
)

// shown are the columns of "show stat" that the page shows, in the order of its data. Two of ours follow: the times of
// connecting and of waiting, in microseconds, since whole milliseconds are 0 in most networks.
var shown = []string{
	"svname", "type", "sid", "status", "qcur", "qmax", "qlimit", "rate", "rate_max", "rate_lim", "scur", "smax", "slim", "stot", "lbtot", "lastsess",
	"bin", "bout", "dreq", "dresp", "ereq", "econ", "eresp", "wretr", "wredis", "cli_abrt", "srv_abrt", "ttime", "check_status", "check_code", "check_duration", "last_chk", "check_desc",
	"agent_status", "last_agt", "weight", "act", "bck", "chkfail", "chkdown", "lastchg", "downtime", "throttle", "tracked", "addr", "algo",
}

var ours = []string{"queue_us", "connect_us"}

// columns are the places of those in a row.
type columns struct {
	places []int
	names  []byte // as JSON
}

func findColumns() *columns {
	c := &columns{}
	for _, name := range shown {
		place, found := admin.ColumnOf(name)
		if !found {
			panic("show stat has no column " + name)
		}
		c.places = append(c.places, place)
	}
	c.names, _ = json.Marshal(append(shown[:len(shown):len(shown)], ours...))
	return c
}

// dataCache keeps what was made last for those who ask at the same time.
type dataCache struct {
	mu    sync.Mutex
	made  time.Time
	scope string
	rows  []byte
}

// dataAge is how old data may be: many screens that show one page cost little more than one.
const dataAge = 500 * time.Millisecond

func (d *dataCache) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made = time.Time{}
}

// head is what the page is told besides the rows.
type head struct {
	Time     int64           `json:"time"` // milliseconds since 1970
	Interval int64           `json:"interval"`
	Version  string          `json:"version,omitempty"`
	Node     string          `json:"node,omitempty"`
	Desc     string          `json:"description,omitempty"`
	Legends  bool            `json:"legends"`
	Admin    bool            `json:"admin"`
	User     string          `json:"user,omitempty"`
	Token    string          `json:"token,omitempty"`
	Forged   uint64          `json:"forged"`
	Info     map[string]any  `json:"info"`
	Columns  json.RawMessage `json:"columns"`
	Proxies  json.RawMessage `json:"proxies"`
}

// information are the fields of "show info" that the page shows.
var information = map[string]bool{
	"Pid": true, "Uptime_sec": true, "Nbthread": true, "CurrConns": true, "Maxconn": true, "CumConns": true, "ConnRate": true, "MaxConnRate": true,
	"SessRate": true, "MaxSessRate": true, "Idle_pct": true, "Stopping": true, "PoolUsed_MB": true, "BytesOutRate": true, "TotalBytesOut": true, "DroppedLogs": true, "Listeners": true, "Ulimit-n": true,
}

// writeData answers with what the page shows.
func (s *Site) writeData(w http.ResponseWriter, r *http.Request, v visitor, wished wish) {
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodHead {
		return
	}
	h := head{
		Time: time.Now().UnixMilli(), Interval: s.interval().Milliseconds(), Legends: s.page.ShowLegends, Admin: v.admin, User: v.user,
		Info: make(map[string]any), Columns: s.columns.names, Proxies: s.rows(wished), Forged: s.forged.Load(),
	}
	if v.admin {
		h.Token = s.token.of(v.user)
	}
	info := s.options.CLI.Info()
	if !s.page.HideVersion {
		h.Version = info.Version
	}
	if s.page.ShowNode {
		h.Node = s.node()
	}
	if s.page.ShowDesc {
		if h.Desc = s.page.Description; h.Desc == "" {
			h.Desc = info.Description
		}
	}
	s.options.CLI.Information(func(name string, v admin.Value) bool {
		if information[name] {
			h.Info[name] = v.Number()
		}
		return true
	})
	body, finish := compressed(w, r)
	defer finish()
	json.NewEncoder(body).Encode(&h)
}

// rows are the proxies with their rows, as JSON: [{"name":…,"id":…,"rows":[[…],…]},…].
func (s *Site) rows(wished wish) []byte {
	s.data.mu.Lock()
	defer s.data.mu.Unlock()
	d := &s.data
	if time.Since(d.made) < dataAge && d.scope == wished.scope {
		return d.rows
	}
	suits := s.suits(wished)
	b := make([]byte, 0, len(d.rows)+4096)
	b = append(b, '[')
	var last *admin.Proxy
	s.options.CLI.Statistics(func(r *admin.Row) bool {
		if !suits(r.Proxy) {
			return true
		}
		if r.Proxy != last {
			if last != nil {
				b = append(b, "]},"...)
			}
			last = r.Proxy
			b = s.appendProxy(b, r.Proxy)
		} else {
			b = append(b, ',')
		}
		b = s.appendRow(b, r)
		return true
	})
	if last != nil {
		b = append(b, "]}"...)
	}
	b = append(b, ']')
	d.rows, d.made, d.scope = b, time.Now(), wished.scope
	return b
}

func (s *Site) appendProxy(b []byte, p *admin.Proxy) []byte {
	mode := "tcp"
	if p.HTTP {
		mode = "http"
	}
	b = append(b, `{"name":`...)
	b = appendText(b, p.Name)
	b = append(b, `,"id":`...)
	b = strconv.AppendInt(b, int64(p.ID), 10)
	b = append(b, `,"mode":"`+mode+`","desc":`...)
	b = appendText(b, p.Description)
	return append(b, `,"rows":[`...)
}

func (s *Site) appendRow(b []byte, r *admin.Row) []byte {
	b = append(b, '[')
	for i, place := range s.columns.places {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := r.Value(place); {
		case v.Empty():
			b = append(b, "null"...)
		case v.IsText():
			b = appendText(b, v.String())
		default:
			b = append(b, v.String()...)
		}
	}
	var c *stats.Counters
	switch r.Type {
	case admin.ServerRow:
		c = r.Server.Stats
	case admin.BackendRow:
		c = r.Proxy.Backend.Stats
	}
	for _, kind := range []stats.Time{stats.QueueTime, stats.ConnectTime} {
		if c == nil {
			b = append(b, ",null"...)
			continue
		}
		b = append(b, ',')
		b = strconv.AppendInt(b, c.AverageTime(kind).Microseconds(), 10)
	}
	return append(b, ']')
}

func appendText(b []byte, text string) []byte {
	quoted, _ := json.Marshal(text)
	return append(b, quoted...)
}
