package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// StartRedis runs a Redis server with more of its command line.
func StartRedis(t testing.TB, args ...string) *Daemon {
	t.Helper()
	path := Program(t, "redis-server")
	dir, addr := ShortDir(t), Loopback(t)
	return startDaemon(t, daemon{
		line: append([]string{path, "--bind", "127.0.0.1", "--port", port(addr), "--dir", dir, "--save", "", "--appendonly", "no"}, args...),
		addr: addr, dir: dir,
		ready: func(s *Daemon) bool { return s.Output.Count("Ready to accept connections") > 0 },
	})
}

// StartLDAP runs an OpenLDAP server with nothing in it. The lines are more of its configuration.
func StartLDAP(t testing.TB, lines ...string) *Daemon {
	t.Helper()
	path := Program(t, "slapd")
	dir, addr := ShortDir(t), Loopback(t)
	file := filepath.Join(dir, "slapd.conf")
	write(t, file, "pidfile "+dir+"/pid\n"+strings.Join(lines, "\n")+"\n")
	// A level of debugging keeps it in the foreground, and 0 is none.
	return startDaemon(t, daemon{line: []string{path, "-d", "0", "-f", file, "-h", "ldap://" + addr}, addr: addr, dir: dir})
}

// StartSMTP runs an OpenSMTPD server that greets as mail.test and takes no mail. Its queue and its control socket have fixed
// places, so it sees file systems of its own there.
func StartSMTP(t testing.TB) *Daemon {
	t.Helper()
	path := Program(t, "smtpd")
	NeedRoot(t, "OpenSMTPD runs as several users, in file systems of its own")
	dir, addr := ShortDir(t), Loopback(t)
	file := filepath.Join(dir, "smtpd.conf")
	write(t, file, "listen on 127.0.0.1 port "+port(addr)+" hostname mail.test\nmatch from any for any reject\n")
	return startDaemon(t, daemon{
		line: []string{"unshare", "--mount", "sh", "-c",
			"mount -t tmpfs tmpfs /var/spool && mount -t tmpfs tmpfs /run && exec " + path + " -d -f " + file},
		addr: addr, dir: dir,
	})
}

// SelfSigned writes a certificate for localhost that nobody has signed, and its key, into a directory.
func SelfSigned(t testing.TB, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	write(t, certificate, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})))
	write(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded})))
	return certificate, key
}

// StartSites runs nginx with the servers that a configuration says, in the directory given. addr is what it listens on.
func StartSites(t testing.TB, dir, addr, servers string) *Daemon {
	t.Helper()
	path := Program(t, "nginx")
	file := filepath.Join(dir, "nginx.conf")
	write(t, file, nginxConfig(dir, servers))
	return startDaemon(t, daemon{line: []string{path, "-c", file, "-e", "stderr"}, addr: addr, dir: dir})
}

// nginxConfig is a configuration of one process in the foreground, with the servers given.
func nginxConfig(dir, servers string) string {
	return fmt.Sprintf(`daemon off;
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
%[2]s
}
`, dir, servers)
}
