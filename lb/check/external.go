package check

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/poller"
)

// External checks: the manual, "external-check command". The program runs in a process group of its own, which is killed as
// a whole when its time is over; standard input and outputs are /dev/null, and no descriptor of ours is open in it. It has
// the user, the capabilities and the root directory that this process has when it runs.

// notUsed stands for an argument that there is no value for.
const notUsed = "NOT_USED"

// exitNotRun is the code of a program that could not be started, as a shell or HAProxy give it.
const exitNotRun = 255

// program is one run.
type program struct {
	context.Context
	cancel context.CancelFunc
}

func (p *program) Interrupt() { p.cancel() }

// newExternal makes the check that runs a program for one server.
func newExternal(s *Server, p *config.Proxy, cfg *config.Server) check {
	limit := cfg.Check.Inter
	if p.Timeouts.Check > 0 {
		limit = p.Timeouts.Check
	}
	return func(probe *probe, tell func(backend.CheckResult)) {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		began := time.Now()
		if !probe.hold(&program{ctx, cancel}) {
			return
		}
		if probe.yield != nil {
			probe.yield()
		}
		result := s.external(ctx, p)
		result.Duration = time.Since(began)
		told := probe.decided()
		probe.release()
		if told {
			tell(result)
		}
	}
}

// external runs the program once.
func (s *Server) external(ctx context.Context, p *config.Proxy) backend.CheckResult {
	o := &s.checker.options
	t := s.target.Load()
	switch {
	case !o.External:
		return backend.CheckResult{Status: backend.CheckSocketError, Text: "external checks need 'external-check' in the global section"}
	case !o.InsecureForkWanted:
		return backend.CheckResult{Status: backend.CheckSocketError, Text: "external checks need 'insecure-fork-wanted' in the global section"}
	case t.Err != nil:
		return backend.CheckResult{Status: backend.CheckSocketError, Text: t.Err.Error()}
	}
	arguments, environment := s.externalArguments(p, t)
	cmd := exec.CommandContext(ctx, p.Health.ExternalCommand, arguments...)
	cmd.Env = environment
	cmd.Path, cmd.Err = findProgram(p.Health.ExternalCommand, p.Health.ExternalPath), nil
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	if ctx.Err() == context.DeadlineExceeded {
		return backend.CheckResult{Status: backend.CheckProcessTimeout}
	}
	var exit *exec.ExitError
	switch {
	case err == nil:
		return backend.CheckResult{Status: backend.CheckProcessOK}
	case errors.As(err, &exit):
		status := exit.Sys().(syscall.WaitStatus)
		if status.Signaled() {
			return backend.CheckResult{Status: backend.CheckProcessError, Code: 128 + int(status.Signal()), Text: "killed by signal " + strconv.Itoa(int(status.Signal()))}
		}
		return backend.CheckResult{Status: backend.CheckProcessError, Code: status.ExitStatus()}
	}
	return backend.CheckResult{Status: backend.CheckProcessError, Code: exitNotRun, Text: notRun(err)}
}

// findProgram looks for a name without a slash in the program's PATH, not in ours.
func findProgram(name, path string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return name
}

// notRun says why a program could not be started.
func notRun(err error) string {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		return "cannot run '" + failed.Path + "': " + reason(failed.Err)
	}
	return reason(err)
}

// externalArguments are the arguments and the environment that the manual promises.
func (s *Server) externalArguments(p *config.Proxy, t *Target) (arguments, environment []string) {
	proxyAddress, proxyPort := "", ""
	for _, b := range p.Binds {
		switch a := b.Address; a.Family {
		case config.Unix:
			proxyAddress = a.Path
		case config.Abstract, config.Inherited:
			continue
		default:
			proxyAddress, proxyPort = a.IP.String(), strconv.Itoa(a.Port)
		}
		break
	}
	address, port := addressAndPort(t.Addr)
	environment = []string{
		"HAPROXY_PROXY_NAME=" + p.Name,
		"HAPROXY_PROXY_ID=" + strconv.Itoa(p.ID),
		"HAPROXY_PROXY_ADDR=" + proxyAddress,
		"HAPROXY_PROXY_PORT=" + proxyPort,
		"HAPROXY_SERVER_NAME=" + s.name,
		"HAPROXY_SERVER_ID=" + strconv.Itoa(s.id),
		"HAPROXY_SERVER_ADDR=" + address,
		"HAPROXY_SERVER_PORT=" + port,
		"HAPROXY_SERVER_MAXCONN=" + strconv.Itoa(s.server.MaxConn()),
		"HAPROXY_SERVER_CURCONN=" + strconv.Itoa(s.server.Served()),
		"HAPROXY_SERVER_SSL=0",
		"HAPROXY_SERVER_PROTO=tcp",
		"PATH=" + p.Health.ExternalPath,
	}
	if s.checker.options.PreserveEnvironment {
		environment = append(os.Environ(), environment...)
	}
	arguments = []string{proxyAddress, proxyPort, address, port}
	for i, a := range arguments {
		if a == "" {
			arguments[i] = notUsed
		}
	}
	return arguments, environment
}

func addressAndPort(a poller.Addr) (address, port string) {
	if a.IsUnix() {
		return a.Path, ""
	}
	return a.Addr().String(), strconv.Itoa(int(a.Port()))
}
