//go:build linux

package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/sluice-lb/sluice/bench/origin"
	"github.com/sluice-lb/sluice/bench/process"
	"github.com/sluice-lb/sluice/bench/subject"
)

// origins is a process that plays servers.
type origins struct {
	*process.Process
	spec  origin.Spec // with the addresses that it listens on
	stdin *os.File    // it ends when this does, even if the harness is killed; nil of nginx
}

// serve starts origins and waits until they listen.
func (r *runner) serve(room *process.Room, spec origin.Spec) (*origins, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	theirIn, ourIn, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	ourOut, theirOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, ourIn.Close())
	}
	o := &origins{spec: spec, stdin: ourIn}
	o.Process, err = room.Start(process.Command{
		Name: "the origin", Path: r.self, Arguments: []string{roleWord, originRole}, CPUs: r.cores.Load, Stdin: theirIn, Stdout: theirOut,
	})
	theirOut.Close()
	if err == nil {
		_, err = ourIn.Write(append(text, '\n'))
	}
	if err != nil {
		return nil, errors.Join(err, ourIn.Close(), ourOut.Close())
	}
	listening := make(chan error, 1)
	go func() { // reads until the end, so that the origin never waits for a reader
		defer ourOut.Close()
		heard := false
		err := messages(ourOut, func(m origin.Message) error {
			if m.Error != "" && !heard {
				return errors.New(m.Error)
			}
			if m.Listening != nil && !heard {
				o.spec.Listen, heard = m.Listening, true
				listening <- nil
			}
			return nil
		})
		if !heard {
			listening <- fmt.Errorf("the origin does not listen: %v", err)
		}
	}()
	if err := <-listening; err != nil {
		err = errors.Join(err, o.Alive())
		o.stop()
		return nil, err
	}
	return o, nil
}

func (o *origins) stop() {
	o.Stop()
	if o.stdin != nil {
		o.stdin.Close()
	}
}

// webConfiguration answers with a small body from memory, and never ends a connection by itself.
const webConfiguration = `daemon off;
master_process off;
pid %[1]s/web.pid;
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
        listen %[2]s backlog=4096;
        location / { return 200 "hello\n"; }
    }
}
`

// serveWeb starts nginx as the origin. Its error is exec.ErrNotFound if there is none.
func (r *runner) serveWeb(ctx context.Context, n *network) (*origins, error) {
	path, err := subject.LookPath("nginx")
	if err != nil {
		return nil, err
	}
	address, err := subject.FreePort(n.origin, n.back)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.Directory, "web.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, webConfiguration, r.Directory, address), 0o600); err != nil {
		return nil, err
	}
	o := &origins{spec: origin.Spec{Listen: []netip.AddrPort{address}}}
	o.Process, err = n.origin.Start(process.Command{Name: "nginx", Path: path, Arguments: []string{"-p", r.Directory, "-c", file}, CPUs: r.cores.Load})
	if err != nil {
		return nil, err
	}
	if err := o.Await(ctx, "its port to open", func() bool { return subject.Open(n.origin, address) }); err != nil {
		o.stop()
		return nil, err
	}
	return o, nil
}
