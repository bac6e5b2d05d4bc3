//go:build linux

package runner

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"github.com/sluice-lb/sluice/bench/result"
)

// settings are the kernel's that change what is measured.
var settings = []string{
	"net/core/somaxconn", "net/core/default_qdisc", "net/ipv4/tcp_congestion_control", "net/ipv4/tcp_rmem", "net/ipv4/tcp_wmem",
	"net/ipv4/tcp_tw_reuse", "net/ipv4/tcp_max_tw_buckets", "net/ipv4/ip_local_port_range", "fs/pipe-max-size", "fs/pipe-user-pages-soft", "kernel/nmi_watchdog",
}

// describe says what this machine is.
func describe(ctx context.Context) result.Machine {
	m := result.Machine{
		Processor: runtime.GOARCH, Cores: runtime.NumCPU(), Kernel: read("/proc/sys/kernel/osrelease"), Go: runtime.Version(), Settings: map[string]string{},
	}
	processor := read("/proc/cpuinfo")
	if name := field(processor, "model name", ":"); name != "" {
		m.Processor = name
	}
	m.Virtual = strings.Contains(processor, " hypervisor") // the flag of arch/x86/kernel/cpu/hypervisor.c
	m.System = strings.Trim(field(read("/etc/os-release"), "PRETTY_NAME", "="), `"`)
	kilobytes, _, _ := strings.Cut(field(read("/proc/meminfo"), "MemTotal", ":"), " ")
	n, _ := strconv.ParseInt(kilobytes, 10, 64)
	m.Memory = n << 10
	average, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	m.Load, _ = strconv.ParseFloat(average, 64)
	for _, name := range settings {
		if value := read("/proc/sys/" + name); value != "" {
			m.Settings[strings.ReplaceAll(name, "/", ".")] = strings.Join(strings.Fields(value), " ")
		}
	}
	if output, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		m.Revision = strings.TrimSpace(string(output))
	}
	return m
}

func read(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}

// field gives the value of the first line "name<separator> value".
func field(text, name, separator string) string {
	for line := range strings.Lines(text) {
		if found, value, ok := strings.Cut(line, separator); ok && strings.TrimSpace(found) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
