package admin

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Level is what a connection may do.
type Level uint8

// The levels, each of which includes those before it.
const (
	User     Level = iota // look at what is not confidential
	Operator              // look at everything, and clear maxima
	Admin                 // change things
)

var levelNames = [...]string{User: "user", Operator: "operator", Admin: "admin"}

// String is the level's word in a configuration.
func (l Level) String() string { return levelNames[l] }

// ParseLevel finds a level by its word.
func ParseLevel(word string) (Level, bool) {
	for l, name := range levelNames {
		if name == word {
			return Level(l), true
		}
	}
	return 0, false
}

// Socket is what a CLI needs to know of a listening socket.
type Socket struct {
	Name   string // as "show cli sockets" shows it: "unix@/run/sluice.sock"
	Level  Level
	Output Output // "severity-output"
}

// Options of a CLI.
type Options struct {
	Process Process
	Timeout time.Duration // "stats timeout": how long a connection may be idle
	MaxConn int           // "stats maxconn": connections at once, over all sockets
	// Failed is told of a command that panicked, with the stack, line by line. The process and the other connections go on. nil: nobody
	// is told.
	Failed func(line string)
}

// CLI is the runtime command line of one process.
type CLI struct {
	process Process
	options Options
	sockets []Socket
	places  chan struct{} // one for each connection
	quit    chan struct{}
	rates   *rates

	mu        sync.Mutex // guards what follows
	closed    bool
	listeners []net.Listener
	open      map[net.Conn]struct{}
}

// New makes a CLI without sockets.
func New(o Options) *CLI {
	return &CLI{
		process: o.Process, options: o, places: make(chan struct{}, max(o.MaxConn, 1)), quit: make(chan struct{}),
		open: make(map[net.Conn]struct{}), rates: newRates(o.Process.Proxies(), time.Now),
	}
}

// Listen adds a socket, which is the CLI's from now on. Call it before Start.
func (c *CLI) Listen(l net.Listener, s Socket) {
	c.listeners, c.sockets = append(c.listeners, l), append(c.sockets, s)
}

// Start begins to serve.
func (c *CLI) Start() {
	go c.rates.run(c.quit)
	for i, l := range c.listeners {
		go c.accept(l, c.sockets[i])
	}
}

// StopListening closes the sockets; who is connected may go on.
func (c *CLI) StopListening() {
	for _, l := range c.listeners {
		l.Close()
	}
}

// Close closes the sockets and ends all connections. Further calls do nothing.
func (c *CLI) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	close(c.quit)
	for _, l := range c.listeners {
		l.Close()
	}
	for conn := range c.open {
		conn.Close()
	}
}

// recovered keeps a command's panic from ending the process: that one connection is closed. A fatal error of the runtime, such as
// memory that ran out, still ends it.
func (c *CLI) recovered() {
	failure := recover()
	if failure == nil || c.options.Failed == nil {
		return
	}
	c.options.Failed(fmt.Sprintf("stats socket: a command failed, and its connection is closed: %v", failure))
	for line := range strings.Lines(string(debug.Stack())) {
		c.options.Failed(strings.TrimRight(line, "\n"))
	}
}

// acceptPause is how long accepting rests when it fails: descriptors have run out.
const acceptPause = 100 * time.Millisecond

// accept serves one socket. When all places are taken, one more connection waits here and the others in the kernel's backlog.
func (c *CLI) accept(l net.Listener, socket Socket) {
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case <-time.After(acceptPause):
				continue
			case <-c.quit:
				return
			}
		}
		if !c.enter(conn) {
			return
		}
		select {
		case c.places <- struct{}{}:
		case <-c.quit:
			c.leave(conn)
			return
		}
		go func() {
			defer func() { <-c.places }()
			defer c.leave(conn)
			defer c.recovered()
			s := &session{cli: c, process: c.process, conn: conn, level: socket.Level, output: socket.Output, timeout: c.options.Timeout}
			s.serve()
		}()
	}
}

func (c *CLI) enter(conn net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		conn.Close()
		return false
	}
	c.open[conn] = struct{}{}
	return true
}

func (c *CLI) leave(conn net.Conn) {
	conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, conn)
}
