package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// StartPostgres runs a PostgreSQL server. The rules are the lines of its pg_hba.conf.
func StartPostgres(t testing.TB, rules ...string) *Daemon {
	t.Helper()
	const places = "/usr/lib/postgresql/*/bin" // Debian has every major version in a directory of its own
	initdb, postgres := Program(t, "initdb", places), Program(t, "postgres", places)
	dir := dirFor(t, "postgres")
	data := filepath.Join(dir, "data")
	cmd := exec.Command(initdb, "-D", data, "--no-sync", "--no-instructions", "--no-locale", "-E", "UTF8", "-A", "reject", "-U", "admin")
	cmd.Dir, cmd.SysProcAttr = dir, as(t, "postgres")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	write(t, filepath.Join(data, "pg_hba.conf"), strings.Join(rules, "\n")+"\n")
	addr := Loopback(t)
	return startDaemon(t, daemon{
		line: []string{postgres, "-D", data, "-p", port(addr), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			"-c", "fsync=off", "-c", "shared_buffers=4MB", "-c", "autovacuum=off", "-c", "log_connections=on"},
		addr: addr, dir: dir, user: "postgres",
		ending: syscall.SIGQUIT, // does not wait for its clients
		ready:  func(s *Daemon) bool { return s.Output.Count("ready to accept connections") > 0 },
	})
}

// MariaDB is what a MariaDB server is started with.
type MariaDB struct {
	Users []string // statements that make its users
	Args  []string // more of its command line
	// Hosts are lines of its own /etc/hosts, by which it learns its clients' names; nil: it does not want to know.
	Hosts []string
}

// StartMariaDB runs a MariaDB server that logs every connection that ends before its time.
func StartMariaDB(t testing.TB, m MariaDB) *Daemon {
	t.Helper()
	path := Program(t, "mariadbd")
	dir, addr := ShortDir(t), Loopback(t)
	data, users := filepath.Join(dir, "data"), filepath.Join(dir, "users.sql")
	write(t, users, strings.Join(m.Users, "\n")+"\n")
	for _, made := range []string{data, filepath.Join(dir, "tmp")} {
		if err := os.Mkdir(made, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Without InnoDB a server is there within a quarter of a second. At its start it removes every server's temporary tables
	// where it has its own.
	options := []string{"--no-defaults", "--datadir=" + data, "--tmpdir=" + filepath.Join(dir, "tmp"), "--skip-innodb", "--default-storage-engine=Aria", "--skip-log-bin"}
	if os.Geteuid() == 0 {
		options = append(options, "--user=root") // it wants to hear that it may
	}
	tables, err := os.ReadFile("/usr/share/mysql/mysql_system_tables.sql")
	if err != nil {
		t.Fatal(err)
	}
	// As mariadb-install-db does it, which needs programs of the client's package.
	bootstrap := exec.Command(path, append(options, "--bootstrap", "--skip-grant-tables")...)
	bootstrap.Stdin = strings.NewReader("CREATE DATABASE mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n" + string(tables))
	if out, err := bootstrap.CombinedOutput(); err != nil {
		t.Fatalf("mariadbd --bootstrap: %v\n%s", err, out)
	}
	options = append(append(options, "--bind-address=127.0.0.1", "--port="+port(addr), "--socket="+filepath.Join(dir, "socket"),
		"--log-warnings=4", "--init-file="+users), m.Args...)
	line := append([]string{path}, options...)
	if m.Hosts == nil {
		line = append(line, "--skip-name-resolve")
	} else {
		NeedRoot(t, "gives a server its own /etc/hosts")
		hosts := filepath.Join(dir, "hosts")
		write(t, hosts, strings.Join(m.Hosts, "\n")+"\n")
		line = append([]string{"unshare", "--mount", "sh", "-c", "mount --bind " + hosts + ` /etc/hosts && exec "$@"`, "sh"}, line...)
	}
	return startDaemon(t, daemon{line: line, addr: addr, dir: dir,
		ready: func(s *Daemon) bool { return s.Output.Count("ready for connections") > 0 && bound(addr) }})
}

// Version is a MariaDB server's version as its greeting has it: in front of its own it names one that old replicas accept.
func (s *Daemon) Version(t testing.TB) string {
	t.Helper()
	line := s.Output.WaitFor(t, "its version", func(line string) bool { return strings.HasPrefix(line, "Version: '") })
	version, _, _ := strings.Cut(strings.TrimPrefix(line, "Version: '"), "'")
	return "5.5.5-" + version
}

// port is the port of an address.
func port(address string) string {
	_, text, _ := strings.Cut(address, ":")
	return text
}
