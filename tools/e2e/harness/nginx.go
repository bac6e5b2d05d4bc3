package harness

import (
	"fmt"
	"net"
	"path/filepath"
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
	StartSites(t, dir, n.Addr, fmt.Sprintf(`  server {
    listen %[2]s;
    listen %[3]s proxy_protocol;
    root %[4]s;
    location / { try_files $uri @word; }
    location @word { return 200 "nginx\n"; }
    location = /addr {
      return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port\n";
    }
    location /put/ { root %[1]s; dav_methods PUT; create_full_put_path on; }
  }`, dir, n.Addr, n.Proxy, n.Root))
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
