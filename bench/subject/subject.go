//go:build linux

// Package subject knows the balancers that can be measured: how to find each, what its configuration looks like, how to start it.
// They are black boxes: a program, a file, an address.
//
// A subject is named in one word, with the path of its program where the usual one is not meant:
//
//	direct            no balancer at all: what the load, the origin and the kernel can do
//	sluice            built from this tree; adaptive: copies, and splices what turns out to be bulk
//	sluice-copy       the same without splice
//	sluice-FEATURE    the same with one of the kernel's features, in the scenarios about it: see Features
//	haproxy           the one in PATH; haproxy=/path/to/haproxy another one
//	nginx             its stream module
//	netpoll           bench/peers/netpoll
//	netpoll-slow      the same, slowed down on purpose by 200 µs of CPU each time that data comes
package subject

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Subject is a balancer to be measured.
type Subject struct {
	Name    string // unique in a run
	Kind    string // the word before the "="
	Path    string `json:",omitempty"`
	Version string `json:",omitempty"`

	module string // nginx's stream module, where it is a file
}

// Standard are the subjects of a run that names none, but for those in HAPROXY.
var Standard = []string{"direct", "sluice", "sluice-copy", "haproxy", "nginx", "netpoll"}

// Features are subjects that are sluice with one of the kernel's features switched on. They take part only in scenarios that
// name them.
var Features = []string{"sluice-cpu", "sluice-least", "sluice-sockmap", "sluice-guard", "sluice-namespace"}

// Feature is the kernel's feature that sets s apart from plain sluice; empty: none.
func (s *Subject) Feature() string {
	if !slices.Contains(Features, s.Kind) {
		return ""
	}
	return strings.TrimPrefix(s.Kind, "sluice-")
}

// own tells that it is built from this tree's main package.
func (s *Subject) own() bool {
	return s.Kind == "sluice" || s.Kind == "sluice-copy" || s.Feature() != ""
}

// Direct tells that there is no balancer.
func (s *Subject) Direct() bool { return s.Kind == "direct" }

// Queues tells that it can hold connections back while a server is full.
func (s *Subject) Queues() bool {
	return s.own() || s.Kind == "haproxy"
}

// Missing is a subject that was asked for and is not there.
type Missing struct{ Name, Reason string }

// module is where built subjects come from.
const module = "github.com/sluice-lb/sluice"

// source is the package of this tree that s is built from; empty: it is installed.
func (s *Subject) source() string {
	switch {
	case s.own():
		return module
	case s.Kind == "netpoll" || s.Kind == "netpoll-slow":
		return module + "/bench/peers/netpoll"
	}
	return ""
}

// Find looks for subjects, and builds in directory what is built from this tree, with build tags if there are some. A word that is no subject is
// an error.
func Find(ctx context.Context, words []string, directory string, tags ...string) (found []*Subject, missing []Missing, err error) {
	names := map[string]int{}
	for _, word := range words {
		kind, path, _ := strings.Cut(word, "=")
		s := &Subject{Name: kind, Kind: kind, Path: path}
		if names[kind]++; names[kind] > 1 {
			s.Name = fmt.Sprintf("%s#%d", kind, names[kind])
		}
		switch known, err := s.find(ctx, directory, tags); {
		case !known:
			return nil, nil, fmt.Errorf("there is no subject '%s'", kind)
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			missing = append(missing, Missing{word, err.Error()})
		default:
			found = append(found, s)
		}
	}
	return found, missing, nil
}

// find completes s. It gives false if there is no such kind, and an error if it is not installed.
func (s *Subject) find(ctx context.Context, directory string, tags []string) (known bool, err error) {
	switch source := s.source(); {
	case s.Direct():
		return true, nil
	case source == "" && s.Kind != "haproxy" && s.Kind != "nginx":
		return false, nil
	case s.Path != "":
	case source == "":
		s.Path = s.Kind
	default:
		s.Path, err = build(ctx, source, directory, tags)
	}
	if err == nil {
		s.Path, err = LookPath(s.Path)
	}
	if err != nil {
		return true, err
	}
	switch {
	case s.Kind == "nginx":
		s.Version = firstLine(ctx, s.Path, "-v")
		s.module, err = findModule(ctx, s.Path)
	case s.Kind == "haproxy" || s.own():
		s.Version = firstLine(ctx, s.Path, "-v")
	default:
		s.Version = "github.com/cloudwego/netpoll " + dependency(ctx, s.Path, "github.com/cloudwego/netpoll")
	}
	return true, err
}

// LookPath gives a program's path. It also looks where an ordinary user's PATH does not. The error is exec.ErrNotFound if there is none.
func LookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) && !strings.Contains(name, "/") {
		if path, err = exec.LookPath("/usr/sbin/" + name); err != nil {
			return "", fmt.Errorf("not installed: %w", exec.ErrNotFound)
		}
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// build builds a package once.
func build(ctx context.Context, name, directory string, tags []string) (string, error) {
	path := filepath.Join(directory, filepath.Base(name))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	command := exec.CommandContext(ctx, "go", "build", "-tags", strings.Join(tags, ","), "-o", path, name)
	command.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", name, err, output)
	}
	return path, nil
}

func firstLine(ctx context.Context, path string, arguments ...string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	output, _ := exec.CommandContext(ctx, path, arguments...).CombinedOutput()
	line, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
	return line
}

// dependency gives the version of a module in a Go binary.
func dependency(ctx context.Context, path, name string) string {
	output, _ := exec.CommandContext(ctx, "go", "version", "-m", path).Output()
	for line := range strings.Lines(string(output)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[1] == name {
			return fields[2]
		}
	}
	return "?"
}

var modulesPath = regexp.MustCompile(`--modules-path=(\S+)`)

// findModule gives the file of nginx's stream module, or nothing where it is part of the program.
func findModule(ctx context.Context, path string) (string, error) {
	output, err := exec.CommandContext(ctx, path, "-V").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s -V: %w", path, err)
	}
	options := strings.Fields(string(output))
	for _, o := range options {
		if o == "--with-stream" {
			return "", nil
		}
	}
	directory := "/usr/lib/nginx/modules"
	if m := modulesPath.FindStringSubmatch(string(output)); m != nil {
		directory = m[1]
	}
	file := filepath.Join(directory, "ngx_stream_module.so")
	if _, err := os.Stat(file); err != nil {
		return "", errors.New("it has no stream module (Debian: libnginx-mod-stream)")
	}
	return file, nil
}
