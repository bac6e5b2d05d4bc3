package e2e

import (
	"fmt"
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
		{name: "right password", lines: fmt.Sprintf(script, "secret"), server: locked.Addr, want: "Layer7 check passed, code: 0, info: \"(tcp-check)\""},
		{name: "wrong password", lines: impatient + fmt.Sprintf(script, "guess"), server: locked.Addr,
			want: "Layer7 timeout" + quoted(" at step 3 of tcp-check (expect string '+OK')")},
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
		{name: "banned user", lines: "option pgsql-check user banned", server: d.Addr, differs: harness.PostgresErrors, reference: fatal,
			want: "Layer7 invalid response" + quoted("FATAL: pg_hba.conf rejects connection for host <22>127.0.0.1<22>, user <22>banned<22>, database <22>banned<22>, no encryption")},
		{name: "unknown user", lines: "option pgsql-check user nobody", server: d.Addr, differs: harness.PostgresErrors, reference: fatal,
			want: "Layer7 invalid response" + quoted("FATAL: no pg_hba.conf entry for host <22>127.0.0.1<22>, user <22>nobody<22>, database <22>nobody<22>, no encryption")},
	})
	lifecycle(t, "option pgsql-check user admin", d, ok, "Layer7 timeout")
}

func TestChecksOfMariaDB(t *testing.T) {
	t.Parallel()
	d := harness.StartMariaDB(t, "CREATE USER 'right'@'127.0.0.1';", "CREATE USER 'locked'@'127.0.0.1' IDENTIFIED BY 'secret';")
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
	// A server blocks hosts whose connections end too often before their time: checks that log in must not count as such.
	// Those from a stranger it ends itself.
	for _, line := range d.Output.All() {
		if strings.Contains(line, "Aborted connection") && !strings.Contains(line, "127.0.0.2") {
			t.Errorf("a check left its connection in the middle: %s", line)
		}
	}
	judge(t, "", []healthCheck{{name: "without user", lines: "option mysql-check", server: d.Addr, want: ok}})
	lifecycle(t, "option mysql-check user right", d, ok, "Layer7 timeout")
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
			want: `Layer7 check passed, code: 0, info: "(tcp-check)"`},
	})
	lifecycle(t, "option smtpchk", d, ok, "Layer7 timeout")
}
