package page

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sluice-lb/sluice/lb/stats"
)

// Limits of a server. Zero values are the defaults.
type Limits struct {
	MaxConn   int           // connections at once; default DefaultMaxConn
	Request   time.Duration // for a request to come as a whole; default 10 s
	KeepAlive time.Duration // between requests; default 60 s
}

// DefaultMaxConn is how many connections a server takes at once.
const DefaultMaxConn = 100

// Other limits.
const (
	defaultRequest   = 10 * time.Second
	defaultKeepAlive = time.Minute
	answerTime       = time.Minute // for an answer to be taken: a slow reader is given up then
	maxHeader        = 16 << 10    // bytes of a request's header
)

// Server serves a handler on some listeners. Its methods may be called from any goroutine.
type Server struct {
	http      http.Server
	places    *places
	listeners []*listener
	stopped   chan struct{}

	mu       sync.Mutex
	rest     chan struct{} // while it rests; closed by its end
	stopping bool
}

// NewServer makes one that has no listeners yet. counts, if not nil, count requests as sessions.
func NewServer(h http.Handler, counts *Counts, limits Limits) *Server {
	or := func(d, standard time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return standard
	}
	if limits.MaxConn <= 0 {
		limits.MaxConn = DefaultMaxConn
	}
	s := &Server{places: newPlaces(limits.MaxConn), stopped: make(chan struct{})}
	s.http = http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if counts != nil {
				counts.Stats.Add(0, stats.Sessions, 1)
			}
			h.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: or(limits.Request, defaultRequest), ReadTimeout: or(limits.Request, defaultRequest),
		WriteTimeout: answerTime, IdleTimeout: or(limits.KeepAlive, defaultKeepAlive), MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(io.Discard, "", 0), // what clients do wrong is theirs to see
	}
	return s
}

// Listen adds a listener, which is the server's from now on, with what its connections are counted in. Call it before Start.
func (s *Server) Listen(l net.Listener, counts ...Counts) {
	s.listeners = append(s.listeners, &listener{l, s.places, counts, s})
}

// SetMaxConn changes the limit. Who is connected stays.
func (s *Server) SetMaxConn(n int) { s.places.set(n) }

// Start begins to serve.
func (s *Server) Start() {
	for _, l := range s.listeners {
		go s.http.Serve(l)
	}
}

// Rest stops accepting, or goes on with it. The listeners stay as they are.
func (s *Server) Rest(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case on && s.rest == nil:
		s.rest = make(chan struct{})
	case !on && s.rest != nil:
		close(s.rest)
		s.rest = nil
	}
}

// awake waits while the server rests; false: it has stopped.
func (s *Server) awake() bool {
	for {
		s.mu.Lock()
		rest := s.rest
		s.mu.Unlock()
		if rest == nil {
			select {
			case <-s.stopped:
				return false
			default:
				return true
			}
		}
		select {
		case <-rest:
		case <-s.stopped:
			return false
		}
	}
}

// StopListening closes the listeners; connections end with their next answer.
func (s *Server) StopListening() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	s.stopping = true
	close(s.stopped)
	s.places.close()
	s.http.SetKeepAlivesEnabled(false)
	for _, l := range s.listeners {
		l.Close()
	}
}

// Close ends everything at once.
func (s *Server) Close() {
	s.StopListening()
	s.http.Close()
}
