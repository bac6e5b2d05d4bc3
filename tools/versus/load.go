package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// command runs a program on the load's core to its end and gives what it wrote.
func (b *bench) command(ctx context.Context, path string, arguments ...string) (string, error) {
	var output strings.Builder
	c := exec.CommandContext(ctx, path, arguments...)
	c.Stdout, c.Stderr = &output, &output
	err := b.launcher.start(b.options.loadCPU, c)
	if err == nil {
		err = c.Wait()
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", path, err, output.String())
	}
	return output.String(), nil
}

// wrk asks for the small page over so many connections for some seconds, and gives the number of answers.
func (b *bench) wrk(ctx context.Context, port int, length float64, connections int, more ...string) (float64, string, error) {
	whole := max(1, int(length+0.5)) // wrk knows whole seconds only
	ctx, cancel := context.WithTimeout(ctx, time.Duration(whole+10)*time.Second)
	defer cancel()
	arguments := append([]string{"-t", "1", "-c", strconv.Itoa(connections), "-d", strconv.Itoa(whole) + "s"}, more...)
	output, err := b.command(ctx, "wrk", append(arguments, fmt.Sprintf("http://127.0.0.1:%d/", port))...)
	if err != nil {
		return 0, "", err
	}
	r, err := parseWrk(output)
	return float64(r.requests), r.wrong, err
}

// wrkResult is what wrk says at its end.
type wrkResult struct {
	requests int64
	wrong    string // its own words on errors; empty: none
}

var (
	wrkRequests = regexp.MustCompile(`(?m)^\s*(\d+) requests in `)
	wrkErrors   = regexp.MustCompile(`(?m)^\s*(Socket errors: .*|Non-2xx or 3xx responses: .*)$`)
)

func parseWrk(output string) (wrkResult, error) {
	m := wrkRequests.FindStringSubmatch(output)
	if m == nil {
		return wrkResult{}, fmt.Errorf("wrk said nothing of requests: %q", output)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	r := wrkResult{requests: n}
	for _, e := range wrkErrors.FindAllStringSubmatch(output, -1) {
		r.wrong = strings.TrimPrefix(r.wrong+"; "+e[1], "; ")
	}
	if n == 0 && r.wrong == "" {
		r.wrong = "no answers"
	}
	return r, err
}

// copy moves bytes in a direction over so many streams at once, and gives the GB that arrived.
func (b *bench) copy(ctx context.Context, port int, direction string, streams int, bytes int64) (float64, string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(bytes>>30)*30*time.Second)
	defer cancel()
	output, err := b.command(ctx, b.self, roleWord, "copy", fmt.Sprintf("127.0.0.1:%d", port), direction, strconv.Itoa(streams),
		strconv.FormatInt(bytes/int64(streams), 10))
	if ctx.Err() == nil && err != nil { // a broken stream: this run does not count
		return 0, err.Error(), nil
	}
	if err != nil {
		return 0, "", err
	}
	moved, err := strconv.ParseInt(strings.TrimSpace(output), 10, 64)
	return float64(moved) / 1e9, "", err
}
