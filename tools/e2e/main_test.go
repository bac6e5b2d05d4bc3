// Package e2e tests the whole program: real clients and servers through a real process. See the harness package.
package e2e

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most tests wait for a timeout and use no processor: many fit beside each other. The ones that load the machine
	// are not parallel, so they run before, one by one.
	if p := flag.Lookup("test.parallel"); p != nil && os.Getenv("E2E_PARALLEL") == "" {
		p.Value.Set("12")
	}
	cleanup, err := harness.Prepare()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	cleanup()
	os.Exit(code)
}

// config is a configuration whose flows are logged to the receiver. Lines that follow replace the timeouts given here,
// because a later keyword wins.
func config(r *harness.Receiver, defaults string, sections ...string) string {
	return "global\n  maxconn 1000\n  log " + r.Addr + " local0\n" +
		"defaults\n  mode tcp\n  log global\n  option tcplog\n" +
		"  timeout connect 10s\n  timeout client 30s\n  timeout server 30s\n" +
		indent(defaults) + strings.Join(sections, "\n") + "\n"
}

// section writes one proxy: its heading and its lines.
func section(heading string, lines ...string) string {
	return heading + "\n" + indent(strings.Join(lines, "\n"))
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("  " + strings.TrimSpace(line) + "\n")
	}
	return b.String()
}
