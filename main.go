//go:build linux && (amd64 || arm64)

// The command sluice is a layer-4 TCP balancer that is configured in HAProxy's language. "sluice -h" lists its flags, and
// "sluice demo" shows it at work.
package main

import (
	"os"

	"github.com/sluice-lb/sluice/lb"
	"github.com/sluice-lb/sluice/lb/demo"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "demo" {
		os.Exit(demo.Main(os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(lb.Main(os.Args, os.Stdout, os.Stderr))
}
