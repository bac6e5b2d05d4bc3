package lb

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/sluice-lb/sluice/lb/config"
)

// Version of sluice. A build may set another one: -ldflags "-X github.com/sluice-lb/sluice/lb.Version=1.2.3".
var Version = "0.1-dev"

// writeVersion writes the lines of "sluice -v".
func writeVersion(w io.Writer) {
	build := readBuild()
	fmt.Fprintf(w, "sluice version %s%s - a layer-4 balancer, compatible with the configuration language of HAProxy %s\n",
		Version, build.suffix(), config.LanguageVersion)
	fmt.Fprintf(w, "Running on: %s\n", kernel())
}

// writeVersionLong writes the lines of "sluice -vv".
func writeVersionLong(w io.Writer) {
	writeVersion(w)
	build := readBuild()
	fmt.Fprintf(w, "Build options :\n  TARGET   = %s/%s\n  GO       = %s\n", runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintf(w, "  REVISION = %s\n  CGO      = %s\n  FLAGS    = %s\n", build.revision, build.cgo, build.flags)
	fmt.Fprintf(w, "\nFeature list : %s\n", strings.Join(features(), " "))
	fmt.Fprintf(w, "\nDefault settings :\n  bufsize = 65536, threads = %d\n", DefaultLoops())
	fmt.Fprint(w, "\nBuilt with multi-threading support (one pinned loop per thread).\n")
	fmt.Fprint(w, "Built with transparent proxy support using: IP_TRANSPARENT IPV6_TRANSPARENT IP_FREEBIND\nBuilt with network namespace support.\n")
	fmt.Fprint(w, "\nAvailable polling systems :\n      epoll : pref=300,  test result OK\nTotal: 1 (1 usable), will use epoll.\n")
	fmt.Fprint(w, "\nAvailable services : prometheus-exporter\n")
	fmt.Fprint(w, "\nModes : TCP\n")
}

// features gives the feature list with a sign before each name.
func features() []string {
	list := make([]string, 0, len(config.Features))
	for _, name := range config.Features {
		list = append(list, "+"+name)
	}
	return list
}

// build is what the Go tool noted about this executable.
type build struct {
	revision, flags, cgo string
}

func readBuild() build {
	b := build{revision: "unknown", cgo: "no"}
	info, found := debug.ReadBuildInfo()
	if !found {
		return b
	}
	modified := false
	var flags []string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.revision = s.Value
		case "vcs.modified":
			modified = s.Value == "true"
		case "CGO_ENABLED":
			if s.Value == "1" {
				b.cgo = "yes"
			}
		case "-tags", "-ldflags", "-gcflags", "-race", "GOAMD64", "GOARM64":
			flags = append(flags, s.Key+"="+s.Value)
		}
	}
	if modified && b.revision != "unknown" {
		b.revision += " (modified)"
	}
	b.flags = strings.Join(flags, " ")
	return b
}

// suffix is the short revision as "-v" shows it behind the version.
func (b build) suffix() string {
	if len(b.revision) < 12 {
		return ""
	}
	suffix := "-" + b.revision[:7]
	if strings.HasSuffix(b.revision, "(modified)") {
		suffix += "+"
	}
	return suffix
}

// kernel names the running kernel as uname(1) does.
func kernel() string {
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		return "Linux"
	}
	return strings.Join([]string{
		utsText(name.Sysname[:]), utsText(name.Release[:]), utsText(name.Version[:]), utsText(name.Machine[:]),
	}, " ")
}

// utsText turns a C string of uname(2) into text; its element type differs between amd64 and arm64.
func utsText[E int8 | uint8](field []E) string {
	text := make([]byte, 0, len(field))
	for _, c := range field {
		if c == 0 {
			break
		}
		text = append(text, byte(c))
	}
	return string(text)
}
