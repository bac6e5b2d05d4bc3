//go:build linux

package subject

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"text/template"
	"time"

	"github.com/sluice-lb/sluice/bench/measure"
	"github.com/sluice-lb/sluice/bench/process"
)

// Setup is what a subject has to do.
type Setup struct {
	Listen        netip.AddrPort
	Patient       netip.AddrPort // valid: who comes here goes behind all who wait that came by Listen
	Servers       []netip.AddrPort
	Loops         int // or threads, or workers
	Connections   int // of clients, at most
	ServerMaxConn int // of each server; 0: no limit
	CPUs          []int
	Directory     string // for files, and there already
	Interface     string // the device that clients come by
	// Namespace is where Listen and Servers are, for a subject that stands elsewhere and reaches into it; Inside is a room there.
	Namespace string
	Inside    *process.Room
}

// Running is a subject that has been started.
type Running struct {
	*process.Process
	PIDs          []int
	Configuration string // what it was told: a file's text, or arguments
}

//go:embed *.tmpl
var templates embed.FS

var parsed = template.Must(template.ParseFS(templates, "*.tmpl"))

// WithoutFeature is the error of a subject that runs, but without the feature of the kernel's that is to be measured.
type WithoutFeature struct{ Name, Reason string }

func (e *WithoutFeature) Error() string { return e.Name + ": " + e.Reason }

// Order is how a program is started.
type Order struct {
	Configuration string           // written to a file; empty: it has none
	Arguments     []string         // {config} in them stands for that file
	Open          []netip.AddrPort // it has started when all of these are open
	Inside        *process.Room    // from where they are; nil: from its own room
	CPUs          []int
	Directory     string    // for the file, and there already
	Output        io.Writer // see process.Command
}

// HAProxyArguments are those with which HAProxy, and what is like it, reads its configuration and stays in the foreground.
var HAProxyArguments = []string{"-db", "-f", "{config}"}

// Start starts the subject in a room and waits until it listens. With Direct there is nothing to start: it gives nil.
func (s *Subject) Start(ctx context.Context, room *process.Room, c Setup) (*Running, error) {
	if s.Direct() {
		return nil, nil
	}
	o, err := s.order(c)
	if err != nil {
		return nil, err
	}
	return s.Launch(ctx, room, o)
}

// Launch starts the subject as it is told, and waits until it listens.
func (s *Subject) Launch(ctx context.Context, room *process.Room, o Order) (*Running, error) {
	r := &Running{Configuration: o.Configuration}
	file := filepath.Join(o.Directory, s.Name+".cfg")
	var arguments []string
	for _, a := range o.Arguments {
		arguments = append(arguments, strings.ReplaceAll(a, "{config}", file))
	}
	if o.Configuration == "" {
		r.Configuration = strings.Join(arguments, " ")
	} else if err := os.WriteFile(file, []byte(o.Configuration), 0o600); err != nil {
		return nil, err
	}
	var err error
	if r.Process, err = room.Start(process.Command{Name: s.Name, Path: s.Path, Arguments: arguments, CPUs: o.CPUs, Output: o.Output}); err != nil {
		return nil, err
	}
	inside := cmp.Or(o.Inside, room)
	for _, address := range o.Open {
		if err == nil {
			err = r.Await(ctx, "its port to open", func() bool { return Open(inside, address) })
		}
	}
	if err == nil {
		r.PIDs, err = measure.Group(r.PID())
	}
	if warned := r.Said("[WARNING]"); err == nil && s.Feature() != "" && warned != "" {
		err = &WithoutFeature{s.Name, warned}
	}
	if err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// order makes the configuration, and the arguments that make the subject use it.
func (s *Subject) order(c Setup) (o Order, err error) {
	o = Order{Open: []netip.AddrPort{c.Listen}, CPUs: c.CPUs, Directory: c.Directory, Inside: c.Inside}
	switch s.Kind {
	case "netpoll", "netpoll-slow":
		o.Arguments = []string{"-listen", c.Listen.String(), "-servers", join(c.Servers), "-loops", strconv.Itoa(c.Loops)}
		if s.Kind == "netpoll-slow" {
			o.Arguments = append(o.Arguments, "-spin", "200us")
		}
	case "nginx":
		o.Arguments = []string{"-p", c.Directory, "-c", "{config}"}
		o.Configuration, err = fill("nginx.conf.tmpl", struct {
			Setup
			Module      string
			Descriptors int
		}{c, s.module, 2*c.Connections + 64})
	default:
		o.Arguments = HAProxyArguments
		o.Configuration, err = fill("haproxy.cfg.tmpl", struct {
			Setup
			CopyOnly bool
			Feature  string
		}{c, s.Kind == "sluice-copy", s.Feature()})
	}
	return o, err
}

func fill(name string, data any) (string, error) {
	var b bytes.Buffer
	err := parsed.ExecuteTemplate(&b, name, data)
	return b.String(), err
}

func join(addresses []netip.AddrPort) string {
	var words []string
	for _, a := range addresses {
		words = append(words, a.String())
	}
	return strings.Join(words, ",")
}

// Open tells if a connection can be made. It is reset at once.
func Open(room *process.Room, address netip.AddrPort) (there bool) {
	room.Do(func() {
		c, err := net.DialTimeout("tcp", address.String(), time.Second)
		if err == nil {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
		there = err == nil
	})
	return there
}

// nextPort is the last port that FreePort has given or tried, counted from firstPort. Each process begins at another one.
var nextPort atomic.Uint32

func init() { nextPort.Store(uint32(os.Getpid()) * 97) }

// The ports of FreePort are below those that the kernel gives to connections (ip_local_port_range): among millions of connections, one
// would soon sit on a port that a balancer is about to listen on.
const firstPort, lastPort = 10000, 32000

// FreePort gives a port of an address on which nobody listens at the moment, in the room's namespace. It does not give it again soon.
func FreePort(room *process.Room, address netip.Addr) (port netip.AddrPort, err error) {
	for range 5000 {
		port = netip.AddrPortFrom(address, uint16(firstPort+nextPort.Add(1)%(lastPort-firstPort)))
		room.Do(func() {
			var l net.Listener
			if l, err = net.Listen("tcp", port.String()); err == nil {
				err = l.Close()
			}
		})
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return port, fmt.Errorf("find a port: %w", err)
	}
	return port, nil
}
