package page

import (
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-lb/sluice/lb/admin"
)

// script answers those who read the page by program, with the same bytes as "show stat".
func (s *Site) script(w http.ResponseWriter, r *http.Request, wished wish) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	if wished.format == "json" {
		h.Set("Content-Type", "application/json")
	}
	if s.page.Refresh > 0 && !wished.noRefresh {
		h.Set("Refresh", strconv.Itoa(int(s.page.Refresh/time.Second)))
	}
	if r.Method == http.MethodHead {
		return
	}
	body, finish := compressed(w, r)
	defer finish()
	s.options.CLI.WriteStat(body, admin.StatOptions{Typed: wished.format == "typed", JSON: wished.format == "json", Up: wished.up, Suits: s.suits(wished)})
}
