//go:build linux

package race

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"text/template"
	"time"

	"github.com/sluice-lb/sluice/bench/process"
	"github.com/sluice-lb/sluice/bench/subject"
)

// balancer is a subject to be measured.
type balancer struct {
	*subject.Subject
	asked string // the word that it was asked for with

	room            *process.Room
	directory, text string   // where files are, the template of the configuration
	arguments       []string // see subject.Order
}

// sluice knows the experiments, and tells its counters at SIGHUP.
func (b *balancer) sluice() bool { return b.asked == "sluice" }

// find finds or builds a balancer. What is neither sluice nor haproxy is the path of a program, which is taken to be like haproxy unless a template
// and arguments say otherwise. steps builds a sluice whose queue can be held up.
func find(ctx context.Context, asked, directory string, steps bool) (*balancer, error) {
	word := asked
	if word != "sluice" && word != "haproxy" {
		word = "haproxy=" + asked
	}
	var tags []string
	if steps {
		tags = []string{"queuestep"}
	}
	found, missing, err := subject.Find(ctx, []string{word}, directory, tags...)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("%s: %s", asked, missing[0].Reason)
	}
	return &balancer{Subject: found[0], asked: asked}, nil
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
	Port    uint16
	Servers []uint16 // their ports
}

// running is a balancer that has been started.
type running struct {
	*subject.Running
	output *output
}

// start runs the balancer and waits until all lanes are open.
func (b *balancer) start(ctx context.Context, c settings, lanes []netip.AddrPort) (*running, error) {
	t, err := template.New("configuration").Parse(b.text)
	if err != nil {
		return nil, err
	}
	var written bytes.Buffer
	if err := t.Execute(&written, c); err != nil {
		return nil, err
	}
	r := &running{output: &output{}}
	r.Running, err = b.Launch(ctx, b.room, subject.Order{
		Configuration: written.String(), Arguments: b.arguments, Open: lanes, Directory: b.directory, Output: r.output,
	})
	if err != nil {
		return nil, err
	}
	time.Sleep(100 * time.Millisecond) // until the servers have seen the last of the connections that tried if it is open
	return r, nil
}

// output collects what a process writes. Any goroutine may read it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// QueueCounters are what sluice counts, over all queues.
type QueueCounters struct {
	LookedAgain uint64 `json:"looked_again"`
	AtRisk      uint64 `json:"at_risk"`
	Requeued    uint64 `json:"requeued"`
	Direct      uint64 `json:"granted_directly"`
	TimedOut    uint64 `json:"timed_out"`
}

var queueLine = regexp.MustCompile(`SIGHUP: (\S+) \S+ queue: (.*)\.`)

// counters asks sluice for its counters. They are wanted of a run that was interrupted, too.
func (r *running) counters(ctx context.Context, lanes int) (*QueueCounters, error) {
	r.Signal(syscall.SIGHUP)
	last := fmt.Sprintf("SIGHUP: Proxy lane%d has", lanes-1)
	if err := r.Await(context.WithoutCancel(ctx), "its status", func() bool {
		_, after, there := strings.Cut(r.output.String(), last)
		return there && strings.Contains(after, "\n")
	}); err != nil {
		return nil, err
	}
	time.Sleep(50 * time.Millisecond) // the last queue's line may follow
	return sumCounters(r.output.String()), nil
}

func sumCounters(status string) *QueueCounters {
	sum := &QueueCounters{}
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
