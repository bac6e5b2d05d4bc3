package check

import (
	"fmt"
	"testing"
)

const (
	smtp   = "option smtpchk\n"
	pgsql  = "option pgsql-check user pg\n"
	mysql  = "option mysql-check\n"
	mysqlU = "option mysql-check user my\n"
	redis  = "option redis-check\n"
	ldap   = "option ldap-check\n"
	ssl    = "option ssl-hello-chk\n"
	spop   = "option spop-check\n"
)

// mysqlPacketOf puts a payload into a packet.
func mysqlPacketOf(sequence int, payload string) string {
	return string([]byte{byte(len(payload)), byte(len(payload) >> 8), 0, byte(sequence)}) + payload
}

var mysqlGreeting = mysqlPacketOf(0, "\x0a5.5.5-10.11.6-MariaDB\x00\x08\x00\x00\x00abcdefgh\x00\xfe\xf7\x08\x02\x00\xff\x81\x15"+
	"\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00abcdefghijkl\x00mysql_native_password\x00")

func spopFrame(body string) string { return "\x00\x00\x00" + string(rune(len(body))) + body }

const (
	spopVersion = "\x07version\x08\x032.0"
	spopSize    = "\x0emax-frame-size\x03\xfc\xf0\x06"
	spopCan     = "\x0ccapabilities\x08\x00"
	spopFIN     = "\x00\x00\x00\x01\x00\x00"
)

// protocols are scenarios of the built-in protocols.
var protocols = []scenario{
	{name: "smtp", server: says("220 hi\r\n", "<", "250 hello\r\n", "<", "221 bye\r\n"), lines: smtp, want: "L7OK/221 bye"},
	{name: "smtp, codes alone", server: says("220\r\n", "<", "250\r\n", "<", "221\r\n"), lines: smtp, want: "L7OK/221"},
	{name: "smtp, ehlo of several lines", server: says("220 hi\r\n", "<", "250-hello\r\n250 X\r\n", "<", "221 bye\r\n"), lines: "option smtpchk EHLO a.b\n", want: "L7OK/221 bye"},
	{name: "smtp, half an ehlo", server: says("220 hi\r\n", "<", "250-hello\r\n"), lines: smtp, want: "L7TOUT/"},
	{name: "smtp, banner of several lines", server: says("220-hi\r\n220 there\r\n"), lines: smtp, want: "L7RSP/ 220-hi"},
	{name: "smtp, no", server: says("554 go away\r\n"), lines: smtp, want: "L7STS/554 go away"},
	{name: "smtp, no to hello", server: says("220 hi\r\n", "<", "502 no such\r\n"), lines: smtp, want: "L7STS/502 no such",
		haproxy: "L7TOUT/"}, // waits for a reply of 2xx
	{name: "smtp, no to quit", server: says("220 hi\r\n", "<", "250 hello\r\n", "<", "500 what\r\n"), lines: smtp, want: "L7STS/500 what"},
	{name: "smtp, another protocol", server: says("garbage\r\n"), lines: smtp, want: "L7RSP/ garbage"},
	{name: "smtp, half a banner", server: says("22"), lines: smtp, want: "L7TOUT/"},
	{name: "smtp, half a banner, and closes", server: says("22", "!"), lines: smtp, want: "L7RSP/ 22"},
	{name: "smtp, closes", server: says("!"), lines: smtp, want: "L7RSP/ TCPCHK got an empty response at step 2"},
	{name: "smtp, closes at hello", server: says("220 hi\r\n", "<", "!"), lines: smtp, want: "L7STS/0 TCPCHK got an empty response at step 5"},
	{name: "smtp, closes at quit", server: says("220 hi\r\n", "<", "250 hello\r\n", "<", "!"), lines: smtp, want: "L7STS/0 TCPCHK got an empty response at step 7"},
	{name: "smtp, silence", server: silent, lines: smtp, want: "L7TOUT/"},
	{name: "smtp, silence at hello", server: says("220 hi\r\n"), lines: smtp, want: "L7TOUT/"},
	{name: "smtp, refused", server: closedPort, lines: smtp, want: "L4CON/ Connection refused"},
	{name: "smtp, no answer", server: silentPort, lines: smtp, want: "L4TOUT/"},

	{name: "pgsql", server: says("<", "R\x00\x00\x00\x08\x00\x00\x00\x00"), lines: pgsql, want: "L7OK/0 PostgreSQL server is ok"},
	{name: "pgsql, scram", server: says("<", "R\x00\x00\x00\x17\x00\x00\x00\x0aSCRAM-SHA-256\x00\x00"), lines: pgsql, want: "L7OK/0 PostgreSQL server is ok"},
	{name: "pgsql, error", server: says("<", "E\x00\x00\x00\x2fSFATAL\x00VFATAL\x00C28000\x00Mno entry for host 12\x00\x00"), lines: pgsql, want: "L7RSP/ FATAL: no entry for host 12",
		haproxy: "L7RSP/ FATAL"}, // the severity alone
	{name: "pgsql, half an error", server: says("<", "E\x00\x00\x00\x2fSFATAL\x00"), lines: pgsql, want: "L7TOUT/",
		haproxy: "L7RSP/ FATAL"},
	{name: "pgsql, another protocol", server: says("<", "garbagegarbagegarbage"), lines: pgsql, want: "L7STS/0 PostgreSQL unknown error"},
	{name: "pgsql, another message", server: says("<", "N\x00\x00\x00\x08\x00\x00\x00\x00"), lines: pgsql, want: "L7STS/0 PostgreSQL unknown error"},
	{name: "pgsql, half", server: says("<", "R\x00\x00"), lines: pgsql, want: "L7TOUT/"},
	{name: "pgsql, half, and closes", server: says("<", "R\x00\x00", "!"), lines: pgsql, want: "L7STS/0 PostgreSQL unknown error"},
	{name: "pgsql, closes", server: says("<", "!"), lines: pgsql, want: "L7RSP/ TCPCHK got an empty response at step 3"},
	{name: "pgsql, resets", server: says("<", "!!"), lines: pgsql, want: "SOCKERR/ Connection reset by peer"},
	{name: "pgsql, silence", server: silent, lines: pgsql, want: "L7TOUT/"},

	{name: "mysql", server: says(mysqlGreeting), lines: mysql, want: "L7OK/0 5.5.5-10.11.6-MariaDB", haproxy: "L7OK/0"}, // its log has the text, its statistics do not
	{name: "mysql, error", server: says(mysqlPacketOf(0, "\xff\x69\x04Host 'x' is blocked")), lines: mysql, want: "L7STS/1129 Host 'x' is blocked"},
	{name: "mysql, another protocol", server: says("SSH-2.0-OpenSSH_9.2p1\r\n"), lines: mysql, want: "L7RSP/ not a MySQL greeting",
		haproxy: "L7TOUT/"}, // waits for the 4.7 MB that "SSH" is as a length
	{name: "mysql, another version", server: says(mysqlPacketOf(0, "\x0babcd\x00")), lines: mysql, want: "L7RSP/ not a MySQL greeting",
		haproxy: "L7OK/0"}, // any packet will do
	{name: "mysql, half", server: says(mysqlGreeting[:30]), lines: mysql, want: "L7TOUT/"},
	{name: "mysql, half, and closes", server: says(mysqlGreeting[:30], "!"), lines: mysql, want: "L7RSP/"},
	{name: "mysql, closes", server: says("!"), lines: mysql, want: "L7RSP/ TCPCHK got an empty response at step 2"},
	{name: "mysql, silence", server: silent, lines: mysql, want: "L7TOUT/"},
	{name: "mysql user", server: says(mysqlGreeting, "<", mysqlPacketOf(2, "\x00\x00\x00\x02\x00\x00\x00")), lines: mysqlU, want: "L7OK/0 5.5.5-10.11.6-MariaDB", haproxy: "L7OK/0"},
	{name: "mysql user, pre-41", server: says(mysqlGreeting, "<", mysqlPacketOf(2, "\x00\x00\x00\x02\x00\x00\x00")), lines: "option mysql-check user my pre-41\n", want: "L7OK/0 5.5.5-10.11.6-MariaDB", haproxy: "L7OK/0"},
	{name: "mysql user, other authentication", server: says(mysqlGreeting, "<", mysqlPacketOf(2, "\xfemysql_native_password\x00abcdefghijklmnopqrst\x00")), lines: mysqlU, want: "L7OK/0 5.5.5-10.11.6-MariaDB", haproxy: "L7OK/0"},
	{name: "mysql user, denied", server: says(mysqlGreeting, "<", mysqlPacketOf(2, "\xff\x15\x04#28000Access denied for user 'my'@'localhost'")), lines: mysqlU, want: "L7STS/1045 #28000Access denied for user 'my'@'localhost'"},
	{name: "mysql user, silence", server: says(mysqlGreeting), lines: mysqlU, want: "L7TOUT/"},
	{name: "mysql user, closes", server: says(mysqlGreeting, "<", "!"), lines: mysqlU, want: "L7RSP/ TCPCHK got an empty response at step 4",
		haproxy: "L7RSP/"}, // has the greeting still before it

	{name: "redis", server: says("<", "+PONG\r\n"), lines: redis, want: "L7OK/0 Redis server is ok"},
	{name: "redis, no", server: says("<", "-NOAUTH Authentication required.\r\n"), lines: redis, want: "L7STS/0 -NOAUTH Authentication required.",
		haproxy: "L7TOUT/"}, // waits for +PONG
	{name: "redis, another protocol", server: says("<", "garbage\r\n"), lines: redis, want: "L7TOUT/"},
	{name: "redis, half", server: says("<", "+PO"), lines: redis, want: "L7TOUT/"},
	{name: "redis, half, and closes", server: says("<", "+PO", "!"), lines: redis, want: "L7STS/0 +PO"},
	{name: "redis, closes", server: says("<", "!"), lines: redis, want: "L7STS/0 TCPCHK got an empty response at step 2"},
	{name: "redis, silence", server: silent, lines: redis, want: "L7TOUT/"},

	{name: "ldap", server: says("<", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00"), lines: ldap, want: "L7OK/0 Success", haproxy: "L7OK/0"}, // its log has the text, its statistics do not
	{name: "ldap, long lengths", server: says("<", "\x30\x84\x00\x00\x00\x10\x02\x01\x01\x61\x84\x00\x00\x00\x07\x0a\x01\x00\x04\x00\x04\x00"), lines: ldap, want: "L7OK/0 Success", haproxy: "L7OK/0"},
	{name: "ldap, wrong credentials", server: says("<", "\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x31\x04\x00\x04\x00"), lines: ldap, want: "L7STS/49 See RFC: http://tools.ietf.org/html/rfc4511#section-4.1.9"},
	{name: "ldap, another protocol", server: says("<", "garbage garbage garbage"), lines: ldap, want: "L7RSP/ Not LDAPv3 protocol"},
	{name: "ldap, another response", server: says("<", "\x30\x0c\x02\x01\x01\x65\x07\x0a\x01\x00\x04\x00\x04\x00"), lines: ldap, want: "L7RSP/ Not LDAPv3 protocol"},
	{name: "ldap, another message", server: says("<", "\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00"), lines: ldap, want: "L7RSP/ Not LDAPv3 protocol"},
	{name: "ldap, half", server: says("<", "\x30\x0c\x02"), lines: ldap, want: "L7TOUT/"},
	{name: "ldap, half, and closes", server: says("<", "\x30\x0c\x02", "!"), lines: ldap, want: "L7RSP/"},
	{name: "ldap, closes", server: says("<", "!"), lines: ldap, want: "L7RSP/ TCPCHK got an empty response at step 2"},

	{name: "ssl", server: says("<", "\x16\x03\x00\x00\x4a\x02\x00\x00\x46\x03\x00"), lines: ssl, want: "L6OK/"},
	{name: "ssl, alert", server: says("<", "\x15\x03\x00\x00\x02\x02\x28"), lines: ssl, want: "L6OK/"},
	{name: "ssl, another protocol", server: says("<", "HTTP/1.1 400 Bad\r\n"), lines: ssl, want: "L6RSP/"},
	{name: "ssl, half", server: says("<", "\x16\x03"), lines: ssl, want: "L6TOUT/"},
	{name: "ssl, half, and closes", server: says("<", "\x16\x03", "!"), lines: ssl, want: "L6OK/"},
	{name: "ssl, closes", server: says("<", "!"), lines: ssl, want: "L6RSP/ TCPCHK got an empty response at step 2"},
	{name: "ssl, silence", server: silent, lines: ssl, want: "L6TOUT/"},

	{name: "spop", server: says("<", spopFrame("\x65"+spopFIN+spopVersion+spopSize+spopCan)), lines: spop, want: "L7OK/0 SPOA server is ok", haproxy: "L7OK/0"},
	{name: "spop, disconnect", server: says("<", spopFrame("\x66"+spopFIN+"\x0bstatus-code\x03\x04\x07message\x08\x0bsome reason")), lines: spop, want: "L7RSP/ some reason",
		haproxy: "L7RSP/ invalid frame received"},
	{name: "spop, no version", server: says("<", spopFrame("\x65"+spopFIN+spopSize)), lines: spop, want: "L7RSP/ version value not found"},
	{name: "spop, half", server: says("<", "\x00\x00"), lines: spop, want: "L7TOUT/"},
	{name: "spop, half, and closes", server: says("<", "\x00\x00", "!"), lines: spop, want: "L7RSP/ invalid frame received"},
	{name: "spop, closes", server: says("<", "!"), lines: spop, want: "L7RSP/ TCPCHK got an empty response at step 2"},
	{name: "spop, too long a frame", server: says("<", "\x00\x70\x00\x42\x65"), lines: spop, want: "L7RSP/ invalid frame received",
		haproxy: "L7TOUT/"}, // waits for all of it

	{name: "external", server: silent, lines: external + "external-check command /bin/true", want: "PROCOK/0"},
	{name: "external, fails", server: silent, lines: external + "external-check command /bin/false", want: "PROCERR/1"},
	{name: "external, not there", server: silent, lines: external + "external-check command /nowhere/at-all", want: "PROCERR/255 cannot run '/nowhere/at-all': No such file or directory",
		haproxy: "PROCERR/255"},
	{name: "external, in PATH", server: silent, lines: external + "external-check path /usr/bin:/bin\nexternal-check command true", want: "PROCOK/0"},
	{name: "external, takes too long", server: silent, lines: external + "external-check path testdata\nexternal-check command sleeps", want: "PROCTOUT/0", haproxy: "-"},
}

const external = "option external-check\n"

// socks are scenarios in which the server is a SOCKS4 proxy. The check's target is behind it.
var socks = []scenario{
	{name: "granted", server: silent, options: viaSOCKS(says("<", "\x00\x5a\x00\x00\x00\x00\x00\x00")), want: "L4OK/"},
	{name: "granted, and speaks", server: silent, lines: tcp + "tcp-check expect string hi", options: viaSOCKS(says("<", "\x00\x5a\x00\x00\x00\x00\x00\x00", "hi")), want: "L7OK/0 (tcp-check)"},
	{name: "connect without", server: silent, lines: tcp + "tcp-check connect\ntcp-check send a", options: viaSOCKS(says("<", "\x00\x5b\x00\x00\x00\x00\x00\x00")), want: "L7OK/0 (tcp-check)"},
	{name: "connect via-socks4", server: silent, lines: tcp + "tcp-check connect via-socks4\ntcp-check send a", options: viaSOCKS(says("<", "\x00\x5a\x00\x00\x00\x00\x00\x00")), want: "L7OK/0 (tcp-check)"},
	{name: "refused", server: silent, options: viaSOCKS(closedPort), want: "L4CON/ Connection refused"},
	{name: "denied", server: silent, options: viaSOCKS(says("<", "\x00\x5b\x00\x00\x00\x00\x00\x00")), want: "SOCKERR/ SOCKS4 Proxy deny the request"},
	{name: "closes", server: silent, options: viaSOCKS(says("<", "!")), want: "SOCKERR/ SOCKS4 Proxy read error during handshake"},
	{name: "silence", server: silent, options: viaSOCKS(silent), want: "L7TOUT/"},
	{name: "another protocol", server: silent, options: viaSOCKS(says("<", "HTTP/1.0 400 Bad\r\n")), want: "SOCKERR/ SOCKS4 Proxy deny the request",
		haproxy: "-"}, // adds an error number that was left over,
}

// viaSOCKS starts a proxy for the server line.
func viaSOCKS(proxy func(testing.TB) int) func(testing.TB) string {
	return func(t testing.TB) string { return fmt.Sprintf("socks4 127.0.0.1:%d check-via-socks4", proxy(t)) }
}
