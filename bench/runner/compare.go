//go:build linux

package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
	"github.com/sluice-lb/sluice/bench/process"
	"github.com/sluice-lb/sluice/bench/result"
	"github.com/sluice-lb/sluice/bench/subject"
)

// The generator is compared with wrk and iperf3, in turn, against the same nginx, and for bulk each with a server of its own kind.
// The server has the subject's core, the generator its own, and no balancer is between them.
const (
	compareRounds = 3
	compareLength = time.Second // both take whole seconds
)

// CompareTime is about how long the comparison takes.
const CompareTime = 60 * time.Second

// measured is what one run of a generator gave: the values that are compared, by what they are.
type measured map[string]float64

// compare fills in the file's comparisons. What is not installed is left out, and said.
func (r *runner) compare(ctx context.Context) error {
	n, err := r.network(ctx, false)
	if err != nil {
		return err
	}
	server := *r // it starts origins on the subject's core
	server.cores.Load = r.cores.Subjects[1]
	if server.cores.Load == nil {
		server.cores.Load = []int{0}
	}
	for _, part := range []struct {
		other string
		run   func(context.Context, *runner, *network) error
	}{{"wrk", r.compareWrk}, {"iperf3", r.compareIperf}} {
		if r.Step != nil {
			r.Step(r.done, r.Total(), "the load beside "+part.other)
		}
		_, err := exec.LookPath(part.other)
		if err == nil {
			err = part.run(ctx, &server, n)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, exec.ErrNotFound) {
			r.file.Missing = append(r.file.Missing, result.Missing{Name: "the load beside " + part.other, Reason: err.Error()})
		} else if err != nil {
			return fmt.Errorf("the load beside %s: %w", part.other, err)
		}
	}
	return nil
}

// beside runs both in turn and adds what they gave.
func (r *runner) beside(other, what string, metrics []result.Comparison, theirs, ours func() (measured, error)) error {
	for range compareRounds {
		a, err := theirs()
		if err != nil {
			return err
		}
		b, err := ours()
		if err != nil {
			return err
		}
		for i := range metrics {
			metrics[i].Theirs = append(metrics[i].Theirs, a[metrics[i].Metric])
			metrics[i].Ours = append(metrics[i].Ours, b[metrics[i].Metric])
		}
	}
	for _, m := range metrics {
		m.Other, m.What = other, what
		r.file.Comparisons = append(r.file.Comparisons, m)
	}
	return nil
}

func (r *runner) compareWrk(ctx context.Context, server *runner, n *network) error {
	web, err := server.serveWeb(ctx, n)
	if err != nil {
		return err
	}
	defer web.stop()
	target := web.spec.Listen[0]
	for _, connections := range []int{1, 10, 200} {
		metrics := []result.Comparison{{Metric: "rate", Unit: "requests/s"}, {Metric: "cpu", Unit: "CPU of the generator, µs per request"}, {Metric: "p50", Unit: "latency, median, µs"}, {Metric: "p99", Unit: "latency, 99 %, µs"}}
		theirs := func() (measured, error) {
			text, used, err := r.generator(ctx, "wrk", "-t1", "--latency", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(int(compareLength/time.Second)), "http://"+target.String()+"/")
			if err != nil {
				return nil, err
			}
			return parseWrk(text, used)
		}
		ours := func() (measured, error) {
			l, err := r.straight(ctx, n, load.Spec{Kind: load.Request, Protocol: load.HTTP, Target: target, Connections: connections})
			if err != nil {
				return nil, err
			}
			requests := float64(l.Requests)
			return measured{"rate": requests / l.Duration.Seconds(), "cpu": (l.User + l.System) * 1e6 / requests, "p50": float64(l.Latency.P50) / 1e3, "p99": float64(l.Latency.P99) / 1e3}, nil
		}
		if err := r.beside("wrk", fmt.Sprintf("nginx, %d connections", connections), metrics, theirs, ours); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) compareIperf(ctx context.Context, server *runner, n *network) error {
	address, err := n.listen()
	if err != nil {
		return err
	}
	s, err := n.origin.Start(process.Command{Name: "iperf3", Path: "iperf3", CPUs: server.cores.Load, Arguments: []string{"-s", "-B", address.Addr().String(), "-p", strconv.Itoa(int(address.Port()))}})
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := s.Await(ctx, "its port to open", func() bool { return subject.Open(n.origin, address) }); err != nil {
		return err
	}
	if err := sleep(ctx, 300*time.Millisecond); err != nil { // it serves one test at a time, and takes a connection for one
		return err
	}
	for _, streams := range []int{1, 8} {
		for _, way := range []struct {
			name   string
			kind   load.Kind
			origin origin.Kind
			flags  []string
		}{{"up", load.BulkUp, origin.Sink, nil}, {"down", load.BulkDown, origin.Source, []string{"-R"}}} {
			o, err := server.serve(n.origin, origin.Spec{Kind: way.origin, Listen: []netip.AddrPort{netipPort(n.back)}})
			if err != nil {
				return err
			}
			theirs := func() (measured, error) {
				text, used, err := r.generator(ctx, "iperf3", append([]string{"--json", "-c", address.Addr().String(), "-p", strconv.Itoa(int(address.Port())),
					"-t", strconv.Itoa(int(compareLength / time.Second)), "-P", strconv.Itoa(streams)}, way.flags...)...)
				if err != nil {
					return nil, err
				}
				return parseIperf(text, used)
			}
			ours := func() (measured, error) {
				l, err := r.straight(ctx, n, load.Spec{Kind: way.kind, Target: o.spec.Listen[0], Connections: streams})
				if err != nil {
					return nil, err
				}
				gigabytes := float64(l.BytesIn+l.BytesOut) / 1e9
				return measured{"rate": gigabytes / l.Duration.Seconds(), "cpu": (l.User + l.System) * 1e3 / gigabytes}, nil
			}
			metrics := []result.Comparison{{Metric: "rate", Unit: "GB/s"}, {Metric: "cpu", Unit: "CPU of the generator, ms per GB"}}
			err = r.beside("iperf3", fmt.Sprintf("bulk %s, %d streams", way.name, streams), metrics, theirs, ours)
			o.stop()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// straight is a run of this generator.
func (r *runner) straight(ctx context.Context, n *network, spec load.Spec) (*load.Result, error) {
	spec.Warmup, spec.Duration = compareLength/5, compareLength
	l, err := r.generate(ctx, n.load, spec, func(string) error { return nil })
	if err == nil && (l.Duration == 0 || l.Requests+l.BytesIn+l.BytesOut == 0 || len(l.Errors) > 0) {
		err = fmt.Errorf("the load got nothing done: %s", list(l.Errors))
	}
	return l, err
}

// generator runs another's generator on this one's cores, and gives what it wrote and the CPU seconds that it used.
func (r *runner) generator(ctx context.Context, name string, arguments ...string) ([]byte, float64, error) {
	var cores []string
	for _, core := range r.cores.Load {
		cores = append(cores, strconv.Itoa(core))
	}
	command := exec.CommandContext(ctx, "taskset", append([]string{"-c", strings.Join(cores, ","), name}, arguments...)...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	text, err := command.Output()
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w: %s", name, err, text)
	}
	return text, (command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Seconds(), nil
}

var (
	wrkRate     = regexp.MustCompile(`Requests/sec: +([0-9.]+)`)
	wrkRequests = regexp.MustCompile(`([0-9]+) requests in`)
	wrkHalf     = regexp.MustCompile(`50% +([0-9.]+)(us|ms|s)`)
	wrkMost     = regexp.MustCompile(`99% +([0-9.]+)(us|ms|s)`)
)

// parseWrk reads what wrk writes with --latency.
func parseWrk(text []byte, used float64) (measured, error) {
	number := func(pattern *regexp.Regexp) float64 {
		found := pattern.FindSubmatch(text)
		if found == nil {
			return math.NaN()
		}
		value, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			return math.NaN()
		}
		if len(found) > 2 {
			value *= map[string]float64{"us": 1, "ms": 1e3, "s": 1e6}[string(found[2])]
		}
		return value
	}
	m := measured{"rate": number(wrkRate), "cpu": used * 1e6 / number(wrkRequests), "p50": number(wrkHalf), "p99": number(wrkMost)}
	for _, value := range m {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("wrk wrote something else: %s", bytes.TrimSpace(text))
		}
	}
	return m, nil
}

// parseIperf reads iperf3's JSON.
func parseIperf(text []byte, used float64) (measured, error) {
	var answer struct {
		End struct {
			Received struct {
				Bytes   float64 `json:"bytes"`
				Seconds float64 `json:"seconds"`
			} `json:"sum_received"`
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("iperf3's JSON: %w", err)
	}
	gigabytes := answer.End.Received.Bytes / 1e9
	if gigabytes <= 0 || answer.End.Received.Seconds <= 0 {
		return nil, fmt.Errorf("iperf3 moved nothing: %s", text)
	}
	return measured{"rate": gigabytes / answer.End.Received.Seconds, "cpu": used * 1e3 / gigabytes}, nil
}
