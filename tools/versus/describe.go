package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// describe says when, where and with what was measured.
func (b *bench) describe(w io.Writer) {
	o := b.options
	fmt.Fprintf(w, "%s. %s, %d cores, %s, Linux %s.\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), processorName(), runtime.NumCPU(), virtualization(), kernelRelease())
	fmt.Fprintf(w, "- sluice: `%s`%s\n- HAProxy: `%s`\n", b.subjects[0].version, revision(b.ctx), b.subjects[1].version)
	fmt.Fprintf(w, "- load: `%s`, `%s`, and a bulk sender and receiver of versus itself (%d KiB writes, reads that discard)\n",
		firstWords(firstLine(b.ctx, "wrk", "-v"), 2), strings.TrimPrefix(firstLine(b.ctx, "nginx", "-v"), "nginx version: "), pieceSize>>10)
	fmt.Fprintf(w, "- balancers on core %d, load and origins on core %d; %d rounds; %s under wrk, %g GiB per bulk run\n\n",
		o.balancerCPU, o.loadCPU, o.rounds, seconds(o.seconds), o.gib)
	if o.tolerate > usuallyTolerated {
		fmt.Fprintf(w, "**The machine was not quiet**: rounds count although the balancer waited for its core (up to %.0f %% of the run). Take the figures as a first impression.\n\n", 100*o.tolerate)
	}
}

func (b *bench) describeConfiguration(w io.Writer) {
	fmt.Fprintf(w, "\nThe configuration of both, but for the ports:\n\n")
	for line := range strings.Lines(configuration(8000, 9000)) {
		fmt.Fprint(w, "    "+line)
	}
	fmt.Fprintf(w, "\n%s\n", configurationNote)
}

// firstLine is the first line that a program writes, whatever its exit code is.
func firstLine(ctx context.Context, path string, arguments ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, path, arguments...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	if line == "" && err != nil {
		return err.Error()
	}
	return line
}

func firstWords(s string, n int) string {
	words := strings.Fields(s)
	return strings.Join(words[:min(n, len(words))], " ")
}

// revision is the commit of the working directory, if sluice was built from it.
func revision(ctx context.Context) string {
	output, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return ""
	}
	return " (commit " + strings.TrimSpace(string(output)) + ")"
}

func processorName() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// virtualization tells a virtual machine by the processor's flag (arch/x86/kernel/cpu/hypervisor.c).
func virtualization() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	if strings.Contains(string(text), " hypervisor") {
		return "virtual machine"
	}
	return "no hypervisor seen"
}

func kernelRelease() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "?"
	}
	return unix.ByteSliceToString(u.Release[:])
}
