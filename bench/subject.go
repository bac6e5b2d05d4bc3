//go:build linux

package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

// subject is a balancer to be measured.
type subject struct {
	name      string // as it was asked for
	path      string
	version   string
	sluice    bool     // knows the experiments, and tells its counters at SIGHUP
	arguments []string // "{config}" stands for the file
}

//go:embed balancer.cfg.tmpl
var standardTemplate string

// settings fill the template of a balancer's configuration.
type settings struct {
	Loops        int
	Lanes        []laneSettings
	MaxConn      int // of each server
	Balance      string
	TimeoutQueue time.Duration
	LogPort      int  // UDP
	Experiment   bool // the balancer knows the next two
	Recheck      string
	Yields       int
}

type laneSettings struct {
	Port    int
	Servers []int // their ports
}

// findSubject finds or builds a balancer: "sluice", "haproxy", or the path of a program. steps builds a sluice whose queue
// can be held up.
func findSubject(ctx context.Context, name, dir string, arguments []string, steps bool) (*subject, error) {
	s := &subject{name: name, path: name, arguments: arguments}
	if name == "sluice" {
		s.sluice = true
		s.path = filepath.Join(dir, "sluice")
		build := []string{"build", "-buildvcs=false", "-o", s.path}
		if steps {
			build = append(build, "-tags", "queuestep")
		}
		command := exec.CommandContext(ctx, "go", append(build, "github.com/sluice-lb/sluice")...)
		if output, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build sluice: %w\n%s", err, output)
		}
	}
	path, err := exec.LookPath(s.path)
	if err != nil {
		return nil, err
	}
	if s.path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	version, _ := exec.CommandContext(ctx, s.path, "-v").CombinedOutput() // some have none
	s.version, _, _ = strings.Cut(strings.TrimSpace(string(version)), "\n")
	return s, nil
}

// start runs the balancer and waits until all lanes are open.
func (s *subject) start(dir, text string, c settings) (*process, error) {
	t, err := template.New("configuration").Parse(text)
	if err != nil {
		return nil, err
	}
	var written bytes.Buffer
	if err := t.Execute(&written, c); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "balancer.cfg")
	if err := os.WriteFile(file, written.Bytes(), 0o600); err != nil {
		return nil, err
	}
	var arguments []string
	for _, a := range s.arguments {
		arguments = append(arguments, strings.ReplaceAll(a, "{config}", file))
	}
	p, err := startProcess(s.path, arguments...)
	if err != nil {
		return nil, err
	}
	for _, x := range c.Lanes {
		err := p.await("it listened", func() bool {
			c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", x.Port))
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		if err != nil {
			p.stop()
			return nil, err
		}
	}
	time.Sleep(100 * time.Millisecond) // until the servers have seen the last of these connections
	return p, nil
}

// queueCounters are what sluice counts, over all queues.
type queueCounters struct {
	LookedAgain uint64 `json:"looked_again"`
	AtRisk      uint64 `json:"at_risk"`
	Requeued    uint64 `json:"requeued"`
	Direct      uint64 `json:"granted_directly"`
	TimedOut    uint64 `json:"timed_out"`
}

var queueLine = regexp.MustCompile(`SIGHUP: (\S+) \S+ queue: (.*)\.`)

// counters asks sluice for its counters.
func (s *subject) counters(p *process, lanes int) (*queueCounters, error) {
	if err := p.command.Process.Signal(syscall.SIGHUP); err != nil {
		return nil, err
	}
	last := fmt.Sprintf("SIGHUP: Proxy lane%d has", lanes-1)
	if err := p.await("its status", func() bool {
		_, after, there := strings.Cut(p.output.String(), last)
		return there && strings.Contains(after, "\n")
	}); err != nil {
		return nil, err
	}
	time.Sleep(50 * time.Millisecond) // the last queue's line may follow
	return sumCounters(p.output.String()), nil
}

func sumCounters(status string) *queueCounters {
	sum := &queueCounters{}
	names := map[string]*uint64{
		"looked again": &sum.LookedAgain, "at risk": &sum.AtRisk, "requeued": &sum.Requeued, "granted directly": &sum.Direct, "timed out": &sum.TimedOut,
	}
	for _, line := range queueLine.FindAllStringSubmatch(status, -1) {
		for part := range strings.SplitSeq(line[2], ", ") {
			number, name, _ := strings.Cut(part, " ")
			if name == "timed out" && line[1] == "Server" {
				continue // its proxy's line counts it too
			}
			if n, err := strconv.ParseUint(number, 10, 64); err == nil && names[name] != nil {
				*names[name] += n
			}
		}
	}
	return sum
}

// logSink receives a balancer's log and counts termination states: the balancer's own word for how a request ended.
type logSink struct {
	socket net.PacketConn
	done   chan struct{}
	// Valid once done is closed.
	states map[string]uint64
	lines  []string // the first few that tell of a time-out in the queue
}

const keptLines = 20

// terminationState stands in tcplog's lines between the bytes and the connection counts.
var terminationState = regexp.MustCompile(` \d+ ([A-Za-z-]{2}) \d+/\d+/\d+/\d+/`)

func newLogSink() (*logSink, error) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &logSink{socket: socket, done: make(chan struct{}), states: map[string]uint64{}}
	go func() {
		defer close(l.done)
		buffer := make([]byte, 65536)
		for {
			n, _, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			for _, found := range terminationState.FindAllSubmatch(buffer[:n], -1) {
				l.states[string(found[1])]++
				if string(found[1]) == "sQ" && len(l.lines) < keptLines {
					l.lines = append(l.lines, strings.TrimSpace(string(buffer[:n])))
				}
			}
		}
	}()
	return l, nil
}

func (l *logSink) port() int { return l.socket.LocalAddr().(*net.UDPAddr).Port }

// close ends the sink; states may be read then.
func (l *logSink) close() {
	l.socket.Close()
	<-l.done
}
