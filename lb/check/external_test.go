package check

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
)

const tells = "global\n  external-check\n  insecure-fork-wanted\nlisten web\n  mode tcp\n  bind 127.0.0.1:7777\n  option external-check\n" +
	"  external-check path /usr/bin:/bin\n  external-check command %s/tells\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n" +
	"  server one 127.0.0.5:99 check port 98 maxconn 7 inter 5s\n"

// The arguments and the environment are what the manual says at "external-check command"; nothing of ours is in it unless
// "preserve-env" says so.
func TestExternalEnvironment(t *testing.T) {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	t.Setenv("OUT", out)
	bed := newBed(t, fmt.Sprintf(tells, dir), Options{PreserveEnvironment: true})
	s := bed.servers["web"]
	if got := s.once(t); got != "PROCERR/7" {
		t.Fatal(got)
	}
	told, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(told)), "\n")
	if lines[0] != "127.0.0.1 7777 127.0.0.5 98" {
		t.Errorf("arguments %q", lines[0])
	}
	for _, want := range []string{
		"HAPROXY_PROXY_NAME=web", "HAPROXY_PROXY_ID=1", "HAPROXY_PROXY_ADDR=127.0.0.1", "HAPROXY_PROXY_PORT=7777",
		"HAPROXY_SERVER_NAME=one", "HAPROXY_SERVER_ID=1", "HAPROXY_SERVER_ADDR=127.0.0.5", "HAPROXY_SERVER_PORT=98",
		"HAPROXY_SERVER_MAXCONN=7", "HAPROXY_SERVER_CURCONN=0", "HAPROXY_SERVER_SSL=0", "HAPROXY_SERVER_PROTO=tcp", "PATH=/usr/bin:/bin",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing in\n%s", want, told)
		}
	}
	_, environment := s.externalArguments(s.proxy, s.Target())
	s.checker.options.PreserveEnvironment = false
	_, bare := s.externalArguments(s.proxy, s.Target())
	if len(environment) <= len(bare) || slices.ContainsFunc(bare, func(e string) bool { return strings.HasPrefix(e, "OUT=") }) {
		t.Errorf("without preserve-env: %q", bare)
	}
}

// A program that takes too long is killed with its children, and is not left as a zombie.
func TestExternalIsKilled(t *testing.T) {
	bed := newBed(t, "global\n  external-check\n  insecure-fork-wanted\nbackend b\n  mode tcp\n  option external-check\n"+
		"  external-check path testdata\n  external-check command sleeps\n  timeout connect 1s\n  timeout server 1s\n  timeout check 100ms\n  server s 127.0.0.1:1 check\n", Options{})
	began := time.Now()
	if got := bed.servers["b"].once(t); got != "PROCTOUT/0" {
		t.Error(got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("took %v, with a time limit of 100ms", took)
	}
	// testdata/sleeps waits in a child of its own, which would go on for 30 seconds.
	if out, _ := os.ReadDir("/proc"); len(out) > 0 {
		for _, e := range out {
			status, err := os.ReadFile("/proc/" + e.Name() + "/stat")
			if err != nil {
				continue
			}
			fields := strings.Fields(string(status[strings.LastIndexByte(string(status), ')')+1:]))
			if len(fields) > 2 && fields[1] == fmt.Sprint(os.Getpid()) && fields[0] == "Z" {
				t.Errorf("a zombie is left: %s", status)
			}
		}
	}
	var info syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &info, syscall.WNOHANG, nil); pid > 0 {
		t.Errorf("child %d was not waited for (%v)", pid, err)
	}
}

func TestExternalNotAllowed(t *testing.T) {
	dir, _ := filepath.Abs("testdata")
	bed := newBed(t, fmt.Sprintf(tells, dir), Options{})
	s := bed.servers["web"]
	s.checker.options.InsecureForkWanted = false
	var result backend.CheckResult
	s.check(s.health, func(r backend.CheckResult) { result = r })
	if result.Status != backend.CheckSocketError || !strings.Contains(result.Text, "insecure-fork-wanted") {
		t.Errorf("%+v", result)
	}
}
