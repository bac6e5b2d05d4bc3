package page

import (
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strings"
)

// secure sets what every answer has: it is stored nowhere, framed by nobody, taken for nothing else, and refers to nothing. The
// document has a policy of its own, which lets its own style and script in.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

// text answers with a line or two.
func text(w http.ResponseWriter, code int, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	io.WriteString(w, body)
}

// allow refuses methods other than those; false: it did.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	text(w, http.StatusMethodNotAllowed, "This method is not possible here.\n")
	return false
}

// compressed gives a writer of the body that compresses it if the client can take that. finish must be called at the end.
func compressed(w http.ResponseWriter, r *http.Request) (body io.Writer, finish func()) {
	w.Header().Set("Vary", "Accept-Encoding")
	for _, coding := range strings.Split(r.Header.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(coding), ";")
		if name == "gzip" && strings.TrimSpace(weight) != "q=0" {
			w.Header().Set("Content-Encoding", "gzip")
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			return z, func() { z.Close() }
		}
	}
	return w, func() {}
}
