//go:build linux

package load_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/bench/load"
	"github.com/sluice-lb/sluice/bench/origin"
)

// TestMain makes a process of its own of the test's program, for an origin or a load on another CPU.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv("BENCH_LOAD_TEST") {
	case "origin":
		err = origin.Serve(context.Background(), os.Stdin, os.Stdout)
	case "load":
		err = load.Serve(context.Background(), os.Stdin, os.Stdout)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const (
	compareRounds  = 5
	compareSeconds = 2
	// The server's CPU and the load's.
	serverCPU, loadCPU = "0", "1"
)

// TestCompare sets the generator beside wrk and iperf3, each against the same kind of server, turn by turn, on CPUs of their own:
//
//	BENCH_COMPARE=1 go test -count=1 -v -run Compare ./bench/load
//
// It logs and does not judge. The rates say something on a quiet machine only; the CPU that each uses for its own work says something on any.
// iperf3 copies what it receives and the load does not, and either brings its own server for bulk.
func TestCompare(t *testing.T) {
	if os.Getenv("BENCH_COMPARE") == "" {
		t.Skip("takes a minute and a quiet machine: BENCH_COMPARE=1")
	}
	t.Run("wrk", compareWrk)
	t.Run("iperf3", compareIperf)
}

func compareWrk(t *testing.T) {
	need(t, "wrk", "nginx", "taskset")
	directory := t.TempDir()
	target := freePort(t)
	var configuration bytes.Buffer
	if err := origin.WriteNGINX(&configuration, origin.NGINXSpec{Directory: directory, Listen: []netip.AddrPort{target}, Bytes: 100}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(directory, "nginx.conf")
	if err := os.WriteFile(file, configuration.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	spawn(t, "taskset", "-c", serverCPU, "nginx", "-p", directory, "-e", "stderr", "-c", file)
	await(t, target)
	rate := regexp.MustCompile(`Requests/sec: +([0-9.]+)`)
	requests := regexp.MustCompile(`([0-9]+) requests in`)
	latency := regexp.MustCompile(`50% +([0-9.]+)(us|ms)`)
	for _, connections := range []int{1, 10, 200} {
		var rates, p50s, costs [2][]float64
		for range compareRounds {
			out, used := output(t, "taskset", "-c", loadCPU, "wrk", "-t1", "--latency", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(compareSeconds), "http://"+target.String()+"/")
			unit := map[string]float64{"us": 1, "ms": 1000}[string(latency.FindSubmatch(out)[2])]
			rates[0] = append(rates[0], number(t, rate, out))
			costs[0] = append(costs[0], used/number(t, requests, out)*1e6)
			p50s[0] = append(p50s[0], number(t, latency, out)*unit)
			result := apart(t, load.Spec{Kind: load.Request, Protocol: load.HTTP, Target: target, Connections: connections,
				Warmup: 200 * time.Millisecond, Duration: compareSeconds * time.Second})
			costs[1] = append(costs[1], (result.User+result.System)/float64(result.Requests)*1e6)
			rates[1] = append(rates[1], float64(result.Requests)/result.Duration.Seconds())
			p50s[1] = append(p50s[1], float64(result.Latency.P50)/1000)
		}
		report(t, fmt.Sprintf("nginx, %3d connections, requests/s", connections), "wrk", rates)
		report(t, fmt.Sprintf("nginx, %3d connections, p50 in µs ", connections), "wrk", p50s)
		report(t, fmt.Sprintf("nginx, %3d connections, own CPU, µs/request", connections), "wrk", costs)
	}
}

func compareIperf(t *testing.T) {
	need(t, "iperf3", "taskset")
	target := freePort(t)
	spawn(t, "taskset", "-c", serverCPU, "iperf3", "-s", "-B", target.Addr().String(), "-p", strconv.Itoa(int(target.Port())))
	sink := originApart(t, origin.Sink)
	source := originApart(t, origin.Source)
	time.Sleep(200 * time.Millisecond) // iperf3 serves one test at a time: it must not see a connection that only asks
	gigabytes := func(bytes uint64, result load.Result) float64 {
		return float64(bytes) / result.Duration.Seconds() / 1e9
	}
	for _, streams := range []int{1, 8} {
		var up, down, upCost, downCost [2][]float64
		iperf := func(more ...string) (rate, cost float64) {
			arguments := append([]string{"-c", loadCPU, "iperf3", "--json", "-c", target.Addr().String(), "-p", strconv.Itoa(int(target.Port())), "-t", strconv.Itoa(compareSeconds), "-P", strconv.Itoa(streams)}, more...)
			var answer struct {
				End struct {
					Received struct {
						Bits float64 `json:"bits_per_second"`
					} `json:"sum_received"`
				}
			}
			out, used := output(t, "taskset", arguments...)
			if err := json.Unmarshal(out, &answer); err != nil {
				t.Fatal(err)
			}
			rate = answer.End.Received.Bits / 8e9
			return rate, used / (rate * compareSeconds)
		}
		spec := load.Spec{Connections: streams, Warmup: 200 * time.Millisecond, Duration: compareSeconds * time.Second}
		for range compareRounds {
			add := func(rates, costs *[2][]float64, which int, rate, cost float64) {
				rates[which] = append(rates[which], rate)
				costs[which] = append(costs[which], cost)
			}
			rate, cost := iperf()
			add(&up, &upCost, 0, rate, cost)
			spec.Kind, spec.Target = load.BulkUp, sink
			result := apart(t, spec)
			rate = gigabytes(result.BytesOut, result)
			add(&up, &upCost, 1, rate, (result.User+result.System)/(rate*result.Duration.Seconds()))
			rate, cost = iperf("-R")
			add(&down, &downCost, 0, rate, cost)
			spec.Kind, spec.Target = load.BulkDown, source
			result = apart(t, spec)
			rate = gigabytes(result.BytesIn, result)
			add(&down, &downCost, 1, rate, (result.User+result.System)/(rate*result.Duration.Seconds()))
		}
		report(t, fmt.Sprintf("bulk up,   %d streams, own CPU, s/GB", streams), "iperf3", upCost)
		report(t, fmt.Sprintf("bulk down, %d streams, own CPU, s/GB", streams), "iperf3", downCost)
		report(t, fmt.Sprintf("bulk up,   %d streams, GB/s", streams), "iperf3", up)
		report(t, fmt.Sprintf("bulk down, %d streams, GB/s", streams), "iperf3", down)
	}
}

// report logs medians, and the median of the ratios round by round.
func report(t *testing.T, what, other string, values [2][]float64) {
	t.Helper()
	median := func(of []float64) float64 { return slices.Sorted(slices.Values(of))[len(of)/2] }
	var ratios []float64
	for i := range values[0] {
		ratios = append(ratios, values[1][i]/values[0][i])
	}
	t.Logf("%s: %s %.4g, load %.4g, ratio %.3f (%.3f to %.3f)", what, other, median(values[0]), median(values[1]), median(ratios), slices.Min(ratios), slices.Max(ratios))
	if math.IsNaN(median(ratios)) {
		t.Error("no ratio")
	}
}

func need(t *testing.T, programs ...string) {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
}

func freePort(t *testing.T) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return netip.MustParseAddrPort(listener.Addr().String())
}

// spawn runs a program until the test ends.
func spawn(t *testing.T, name string, arguments ...string) {
	t.Helper()
	var remarks bytes.Buffer
	command := exec.Command(name, arguments...)
	command.Stderr = &remarks
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
		if t.Failed() {
			t.Log(remarks.String())
		}
	})
}

func await(t *testing.T, target netip.AddrPort) {
	t.Helper()
	for range 500 {
		if connection, err := net.Dial("tcp", target.String()); err == nil {
			connection.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody listens on %s", target)
}

// output runs a program, and gives the CPU seconds that it used, too.
func output(t *testing.T, name string, arguments ...string) ([]byte, float64) {
	t.Helper()
	command := exec.Command(name, arguments...)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return out, (command.ProcessState.UserTime() + command.ProcessState.SystemTime()).Seconds()
}

func number(t *testing.T, pattern *regexp.Regexp, text []byte) float64 {
	t.Helper()
	found := pattern.FindSubmatch(text)
	if found == nil {
		t.Fatalf("no %s in %s", pattern, text)
	}
	value, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// apart runs a load in a process of its own.
func apart(t *testing.T, spec load.Spec) load.Result {
	t.Helper()
	in, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("taskset", "-c", loadCPU, os.Args[0])
	command.Env = append(os.Environ(), "BENCH_LOAD_TEST=load")
	command.Stdin = bytes.NewReader(in)
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var message load.Message
		if err := json.Unmarshal(lines.Bytes(), &message); err != nil || message.Error != "" {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		if message.Result != nil {
			if len(message.Result.Errors) > 0 {
				t.Errorf("errors: %v", message.Result.Errors)
			}
			return *message.Result
		}
	}
	t.Fatalf("no result: %s", out)
	return load.Result{}
}

// originApart runs an origin in a process of its own until the test ends.
func originApart(t *testing.T, kind origin.Kind) netip.AddrPort {
	t.Helper()
	spec, err := json.Marshal(origin.Spec{Kind: kind, Listen: []netip.AddrPort{anyPort}})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("taskset", "-c", serverCPU, os.Args[0])
	command.Env = append(os.Environ(), "BENCH_LOAD_TEST=origin")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = command.Wait()
	})
	if _, err := in.Write(spec); err != nil {
		t.Fatal(err)
	}
	var message origin.Message
	if err := json.NewDecoder(out).Decode(&message); err != nil || len(message.Listening) != 1 {
		t.Fatalf("%+v: %v", message, err)
	}
	return message.Listening[0]
}
