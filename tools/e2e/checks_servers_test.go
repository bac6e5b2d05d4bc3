package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

const redisOK = "Layer7 check passed, code: 0, info: \"Redis server is ok\""

func TestChecksOfRedis(t *testing.T) {
	t.Parallel()
	open, locked := harness.StartRedis(t), harness.StartRedis(t, "--requirepass", "secret")
	script := "option tcp-check\ntcp-check connect\ntcp-check send AUTH\\ %s\\r\\n\ntcp-check expect string +OK\ntcp-check send PING\\r\\n\ntcp-check expect string +PONG\n" +
		"tcp-check send info\\ replication\\r\\n\ntcp-check expect string role:master\ntcp-check send QUIT\\r\\n\ntcp-check expect string +OK"
	judge(t, "", []healthCheck{
		{name: "open", lines: "option redis-check", server: open.Addr, want: redisOK},
		{name: "locked", lines: impatient + "option redis-check", server: locked.Addr, want: "Layer7 wrong status, code: 0" + quoted("-NOAUTH Authentication required."),
			differs: harness.PatientChecks, reference: "Layer7 timeout"},
		{name: "right password", lines: fmt.Sprintf(script, "secret"), server: locked.Addr, want: "Layer7 check passed, code: 0" + quoted("(tcp-check)")},
		{name: "wrong password", lines: impatient + fmt.Sprintf(script, "guess"), server: locked.Addr,
			want: "Layer7 timeout" + quoted(" at step 3 of tcp-check (expect string '+OK')")},
		{name: "both in one script", lines: "option tcp-check\n" +
			"tcp-check connect port " + port(open.Addr) + "\ntcp-check send PING\\r\\n\ntcp-check expect string +PONG\n" +
			"tcp-check connect port " + port(locked.Addr) + " comment locked\ntcp-check send PING\\r\\n\ntcp-check expect string +PONG min-recv 5 comment locked",
			server: open.Addr, want: "Layer7 invalid response" + quoted("TCPCHK did not match content '+PONG' at step 6 comment: locked")},
		{name: "variables", lines: "option tcp-check\ntcp-check set-var(check.word) str(hello)\ntcp-check send-lf PING\\ %[var(check.word)]\\r\\n\n" +
			"tcp-check expect string-lf $5\\r\\n%[var(check.word)] on-success 'it said %[var(check.word)]'", server: open.Addr,
			want: "Layer7 check passed, code: 0" + quoted("it said hello")},
		{name: "another role", lines: "option tcp-check\ntcp-check send info\\ replication\\r\\n\ntcp-check expect ! string role:master", server: open.Addr,
			want: "Layer7 invalid response" + quoted("TCPCHK matched unwanted content 'role:master' at step 2")},
	})
	lifecycle(t, "option redis-check", open, redisOK, "Layer7 timeout")
}

func TestChecksOfPostgres(t *testing.T) {
	t.Parallel()
	// A known user is let in, one with a password is asked for it, the third is turned away, and there is no rule for others.
	d := harness.StartPostgres(t, "host all admin 127.0.0.1/32 trust", "host all locked 127.0.0.1/32 scram-sha-256", "host all banned 127.0.0.1/32 reject")
	fatal := "Layer7 invalid response" + quoted("FATAL")
	ok := "Layer7 check passed, code: 0" + quoted("PostgreSQL server is ok")
	judge(t, "", []healthCheck{
		{name: "right user", lines: "option pgsql-check user admin", server: d.Addr, want: ok},
		{name: "user without password", lines: "option pgsql-check user locked", server: d.Addr, want: ok},
		{name: "wish for TLS", lines: "option tcp-check\ntcp-check send-binary 0000000804d2162f\ntcp-check expect binary 4e", server: d.Addr,
			want: "Layer7 check passed, code: 0" + quoted("(tcp-check)")},
		{name: "banned user", lines: "option pgsql-check user banned", server: d.Addr, differs: harness.PostgresErrors, reference: fatal,
			want: "Layer7 invalid response" + quoted("FATAL: pg_hba.conf rejects connection for host <22>127.0.0.1<22>, user <22>banned<22>, database <22>banned<22>, no encryption")},
		{name: "unknown user", lines: "option pgsql-check user nobody", server: d.Addr, differs: harness.PostgresErrors, reference: fatal,
			want: "Layer7 invalid response" + quoted("FATAL: no pg_hba.conf entry for host <22>127.0.0.1<22>, user <22>nobody<22>, database <22>nobody<22>, no encryption")},
	})
	lifecycle(t, "option pgsql-check user admin", d, ok, "Layer7 timeout")
}

func TestChecksOfMariaDB(t *testing.T) {
	t.Parallel()
	d := harness.StartMariaDB(t, harness.MariaDB{Users: []string{"CREATE USER 'right'@'127.0.0.1';", "CREATE USER 'locked'@'127.0.0.1' IDENTIFIED BY 'secret';"}})
	ok := "Layer7 check passed, code: 0" + quoted("%s", d.Version(t))
	denied := func(user string) string {
		return "Layer7 wrong status, code: 1045" + quoted("#28000Access denied for user '%s'@'127.0.0.1' (using password: NO)", user)
	}
	stranger := "Layer7 wrong status, code: 1130" + quoted("Host '127.0.0.2' is not allowed to connect to this MariaDB server")
	judge(t, "", []healthCheck{
		{name: "post-41", lines: "option mysql-check user right post-41", server: d.Addr, want: ok},
		{name: "default", lines: "option mysql-check user right", server: d.Addr, want: ok},
		{name: "pre-41", lines: "option mysql-check user right pre-41", server: d.Addr, want: ok},
		{name: "unknown user", lines: "option mysql-check user nobody", server: d.Addr, want: denied("nobody")},
		{name: "wrong password", lines: "option mysql-check user locked", server: d.Addr, want: denied("locked")},
		{name: "host not allowed", lines: "option mysql-check user right", server: d.Addr + " source 127.0.0.2", want: stranger},
		{name: "host not allowed without user", lines: "option mysql-check", server: d.Addr + " source 127.0.0.2", want: stranger},
	})
	// The server ends a stranger's connections itself; those of checks that log in must end as its protocol wants it.
	for _, line := range d.Output.All() {
		if strings.Contains(line, "Aborted connection") && !strings.Contains(line, "127.0.0.2") {
			t.Errorf("a check left its connection in the middle: %s", line)
		}
	}
	judge(t, "", []healthCheck{{name: "without user", lines: "option mysql-check", server: d.Addr, want: ok}})
	lifecycle(t, "option mysql-check user right", d, ok, "Layer7 timeout")
}

// MariaDB blocks a host whose connections have ended before their time too often in a row. Checks that log in do not, however
// many there are; those that only look at the greeting do, as the manual warns.
func TestChecksAndBlockedHosts(t *testing.T) {
	t.Parallel()
	queries := filepath.Join(harness.ShortDir(t), "queries")
	d := harness.StartMariaDB(t, harness.MariaDB{
		Users: []string{"CREATE USER 'right'@'%';"},
		Args:  []string{"--max-connect-errors=4", "--general-log", "--general-log-file=" + queries},
		Hosts: []string{"127.0.0.1 localhost", "127.0.0.5 user.test", "127.0.0.6 nobody.test"},
	})
	logs := harness.ReceiveUDP(t)
	harness.Start(t, config(logs, "option log-health-checks\ntimeout check 5s\ndefault-server inter 300ms fall 1 rise 1",
		section("frontend front", "bind "+harness.Loopback(t)),
		section("backend user", "option mysql-check user right", "server s "+d.Addr+" check source 127.0.0.5"),
		section("backend nobody", "option mysql-check", "server s "+d.Addr+" check source 127.0.0.6")),
		harness.Options{Leaky: "checks may be under way"})
	harness.Eventually(t, "eight checks log in", func() bool {
		text, _ := os.ReadFile(queries)
		return strings.Count(string(text), "Connect\tright@user.test") >= 8
	})
	logs.WaitText(t, "Health check for server user/s succeeded")
	blocked := logs.WaitText(t, "Health check for server nobody/s failed")
	want := notice + " Health check for server nobody/s failed, reason: Layer7 wrong status, code: 1129" +
		quoted("Host '127.0.0.6' is blocked because of many connection errors; unblock with 'mariadb-admin flush-hosts'") + ", check duration: #ms, status: 0/1 DOWN."
	if got := body(t, blocked); got != want {
		t.Errorf("logged\n%s, want\n%s", got, want)
	}
	if logs.Count("user/s failed") != 0 || d.Output.Count("user: 'right'") != 0 {
		t.Errorf("checks that log in were not let in, or not let out:\n%s", logs.Text())
	}
}

func TestChecksOfLDAP(t *testing.T) {
	t.Parallel()
	open, strict := harness.StartLDAP(t), harness.StartLDAP(t, "disallow bind_anon")
	ok := "Layer7 check passed, code: 0" + quoted("Success")
	judge(t, "", []healthCheck{
		{name: "anonymous", lines: "option ldap-check", server: open.Addr, want: ok},
		{name: "no anonymous", lines: "option ldap-check", server: strict.Addr, want: "Layer7 wrong status, code: 48" + quoted("See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9")},
	})
	lifecycle(t, "option ldap-check", open, ok, "Layer7 timeout")
}

func TestChecksOfSMTP(t *testing.T) {
	t.Parallel()
	d := harness.StartSMTP(t)
	ok := "Layer7 check passed, code: 221" + quoted("2.0.0 Bye")
	judge(t, "", []healthCheck{
		{name: "helo", lines: "option smtpchk", server: d.Addr, want: ok},
		{name: "ehlo", lines: "option smtpchk EHLO client.test", server: d.Addr, want: ok},
		{name: "unknown hello", lines: "option smtpchk OHLE client.test", server: d.Addr, want: ok},
		{name: "script", lines: "option tcp-check\ntcp-check expect rstring ^220.*ESMTP\ntcp-check send EHLO\\ me\\r\\n\ntcp-check expect string SIZE\ntcp-check send QUIT\\r\\n\ntcp-check expect rstring ^221", server: d.Addr,
			want: "Layer7 check passed, code: 0" + quoted("(tcp-check)")},
	})
	lifecycle(t, "option smtpchk", d, ok, "Layer7 timeout")
}
