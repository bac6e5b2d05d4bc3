package harness

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Nginx is a web server of the test's own.
type Nginx struct {
	Addr  string // plain HTTP
	Proxy string // HTTP behind a PROXY header of either version
	Root  string // the files that it serves
}

// StartNginx runs nginx in the foreground. It answers every path that is not a file with "nginx\n", and on Proxy
// "/addr" with the addresses of the PROXY header: source, its port, destination, its port.
func StartNginx(t testing.TB) *Nginx {
	t.Helper()
	dir := ShortDir(t)
	n := &Nginx{Addr: Loopback(t), Proxy: Loopback(t), Root: filepath.Join(dir, "root")}
	write(t, filepath.Join(n.Root, "hello"), "hello from a file\n")
	file := filepath.Join(dir, "nginx.conf")
	write(t, file, fmt.Sprintf(`daemon off;
master_process off;
user root;
pid %[1]s/pid;
error_log stderr error;
worker_rlimit_nofile 4096;
events { worker_connections 2000; }
http {
  access_log off;
  sendfile on;
  keepalive_requests 1000000;
  client_max_body_size 0;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    listen %[3]s proxy_protocol;
    root %[4]s;
    location / { try_files $uri @word; }
    location @word { return 200 "nginx\n"; }
    location = /addr {
      return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port\n";
    }
    location /put/ { root %[1]s; dav_methods PUT; create_full_put_path on; }
  }
}
`, dir, n.Addr, n.Proxy, n.Root))
	cmd := exec.Command("nginx", "-c", file, "-e", "stderr")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output := newLines()
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() { output.read(pipe); close(read) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-read
		cmd.Wait()
	})
	if !WaitUntil(Patience, func() bool { return accepts(n.Addr) && accepts(n.Proxy) }) {
		t.Fatalf("nginx does not listen:\n%s", output.Text())
	}
	return n
}

// accepts tells whether a connect succeeds.
func accepts(address string) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
