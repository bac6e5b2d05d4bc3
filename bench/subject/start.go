//go:build linux

package subject

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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

// Start starts the subject in a room and waits until it listens. With Direct there is nothing to start: it gives nil.
func (s *Subject) Start(ctx context.Context, room *process.Room, c Setup) (*Running, error) {
	if s.Direct() {
		return nil, nil
	}
	text, arguments, err := s.configure(c)
	if err != nil {
		return nil, err
	}
	r := &Running{Configuration: text}
	if r.Process, err = room.Start(process.Command{Name: s.Name, Path: s.Path, Arguments: arguments, CPUs: c.CPUs}); err != nil {
		return nil, err
	}
	err = r.Await(ctx, "its port to open", func() bool {
		return Open(room, c.Listen) && (!c.Patient.IsValid() || Open(room, c.Patient))
	})
	if err == nil {
		r.PIDs, err = measure.Group(r.PID())
	}
	if err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}

// configure gives the configuration, and the arguments that make the subject use it.
func (s *Subject) configure(c Setup) (text string, arguments []string, err error) {
	file := filepath.Join(c.Directory, s.Name+".cfg")
	switch s.Kind {
	case "netpoll", "netpoll-slow":
		arguments = []string{"-listen", c.Listen.String(), "-servers", join(c.Servers), "-loops", strconv.Itoa(c.Loops)}
		if s.Kind == "netpoll-slow" {
			arguments = append(arguments, "-spin", "200us")
		}
		return strings.Join(arguments, " "), arguments, nil
	case "nginx":
		text, err = fill("nginx.conf.tmpl", struct {
			Setup
			Module      string
			Descriptors int
		}{c, s.module, 2*c.Connections + 64})
		arguments = []string{"-p", c.Directory, "-c", file}
	default:
		text, err = fill("haproxy.cfg.tmpl", struct {
			Setup
			CopyOnly bool
		}{c, s.Kind == "sluice-copy"})
		arguments = []string{"-db", "-f", file}
	}
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o600)
	}
	return text, arguments, err
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

// FreePort gives a port of an address on which nobody listens at the moment, in the room's namespace.
func FreePort(room *process.Room, address netip.Addr) (port netip.AddrPort, err error) {
	room.Do(func() {
		var l net.Listener
		if l, err = net.Listen("tcp", netip.AddrPortFrom(address, 0).String()); err == nil {
			port = l.Addr().(*net.TCPAddr).AddrPort()
			err = l.Close()
		}
	})
	if err != nil {
		return port, fmt.Errorf("find a port: %w", err)
	}
	return port, nil
}
