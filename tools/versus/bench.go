package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// bench holds what every run needs: the two origins, the binaries, a directory for files.
type bench struct {
	options  *options
	ctx      context.Context
	launcher *launcher
	self     string // this program
	dir      string // removed at the end
	web      int    // port of nginx
	bulk     int    // port of the bulk origin
	services []*service
	subjects []*subject
}

// subject is one of the two balancers.
type subject struct {
	name    string
	binary  string
	version string
}

// newBench builds what is missing and starts the origins. After an error there is nothing to close.
func newBench(ctx context.Context, o *options) (b *bench, err error) {
	b = &bench{options: o, ctx: ctx, launcher: newLauncher()}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.self, err = os.Executable(); err != nil {
		return b, err
	}
	if b.dir, err = os.MkdirTemp("", "versus"); err != nil {
		return b, err
	}
	if err := b.findSubjects(); err != nil {
		return b, err
	}
	if b.web, err = freePort(); err != nil {
		return b, err
	}
	if b.bulk, err = freePort(); err != nil {
		return b, err
	}
	if err := b.startNginx(); err != nil {
		return b, err
	}
	_, err = b.serve("bulk origin", o.loadCPU, b.bulk, b.self, roleWord, "origin", fmt.Sprintf("127.0.0.1:%d", b.bulk))
	return b, err
}

func (b *bench) webPort() int  { return b.web }
func (b *bench) bulkPort() int { return b.bulk }

func (b *bench) findSubjects() error {
	sluice := b.options.binary
	if sluice == "" {
		sluice = filepath.Join(b.dir, "sluice")
		if output, err := exec.CommandContext(b.ctx, "go", "build", "-o", sluice, ".").CombinedOutput(); err != nil {
			return fmt.Errorf("build sluice: %w: %s", err, output)
		}
	}
	for _, s := range []*subject{{name: "sluice", binary: sluice}, {name: "haproxy", binary: b.options.haproxy}} {
		path, err := exec.LookPath(s.binary)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if s.binary, err = filepath.Abs(path); err != nil {
			return err
		}
		s.version = firstLine(b.ctx, s.binary, "-v")
		b.subjects = append(b.subjects, s)
	}
	return nil
}

// nginxConfiguration answers with a small body from memory, and never ends a connection by itself.
const nginxConfiguration = `daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr crit;
events { worker_connections 16384; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    server {
        listen 127.0.0.1:%[2]d backlog=16384;
        location / { return 200 "hello\n"; }
    }
}
`

func (b *bench) startNginx() error {
	path := filepath.Join(b.dir, "nginx.conf")
	if err := os.WriteFile(path, fmt.Appendf(nil, nginxConfiguration, b.dir, b.web), 0o600); err != nil {
		return err
	}
	_, err := b.serve("nginx", b.options.loadCPU, b.web, "nginx", "-p", b.dir, "-c", path)
	return err
}

// startSubject runs a balancer in front of an origin and gives the port that it listens on.
func (b *bench) startSubject(s *subject, origin int) (*service, int, error) {
	port, err := freePort()
	if err != nil {
		return nil, 0, err
	}
	path := filepath.Join(b.dir, s.name+".cfg")
	if err := os.WriteFile(path, []byte(configuration(port, origin)), 0o600); err != nil {
		return nil, 0, err
	}
	process, err := b.serve(s.name, b.options.balancerCPU, port, s.binary, "-db", "-f", path)
	return process, port, err
}

// serve starts a service and waits until its port is open.
func (b *bench) serve(name string, cpu, port int, path string, arguments ...string) (*service, error) {
	s, err := b.launcher.serve(b.ctx, name, cpu, path, arguments...)
	if err != nil {
		return nil, err
	}
	b.services = append(b.services, s)
	deadline := time.Now().Add(10 * time.Second)
	for {
		c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			c.Close()
			return s, nil
		}
		if err := errors.Join(s.alive(), b.ctx.Err()); err != nil {
			return nil, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%s does not listen on port %d: %s", name, port, s.output)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// close ends every process that was started, newest first, and removes the files.
func (b *bench) close() {
	for i := len(b.services) - 1; i >= 0; i-- {
		b.services[i].stop()
	}
	b.services = nil
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}

// freePort is a port that nobody listens on at the moment.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
