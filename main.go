//go:build linux && (amd64 || arm64)

// The command sluice is a layer-4 TCP balancer that is configured in HAProxy's language. "sluice -h" lists its flags, and
// "sluice demo" shows it at work, and "sluice top" shows a running one.
package main

import (
	"os"

	"github.com/sluice-lb/sluice/lb"
	"github.com/sluice-lb/sluice/lb/demo"
	"github.com/sluice-lb/sluice/lb/top"
)

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "demo":
			os.Exit(demo.Main(os.Args[2:], os.Stdout, os.Stderr))
		case "top":
			os.Exit(top.Main(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
		}
	}
	os.Exit(lb.Main(os.Args, os.Stdout, os.Stderr))
}
