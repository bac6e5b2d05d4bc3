package check

import (
	"strings"
	"testing"
	"time"
)

// scenario is one server, what it is asked, and what comes of it.
type scenario struct {
	name    string
	server  func(t testing.TB) int
	lines   string                  // of the backend
	args    string                  // of the server
	options func(testing.TB) string // more of them, with ports
	want    string                  // ours: status, code, text
	// haproxy is what HAProxy 2.6 says where that differs, with the reason beside it; empty: the same.
	haproxy string // "-": not asked
}

func does(do behaviour) func(testing.TB) int { return func(t testing.TB) int { return serve(t, do) } }
func says(script ...string) func(testing.TB) int {
	return does(plays(script...))
}

const bufferful = 40000

const (
	tcp  = "option tcp-check\n"
	http = "option httpchk\n"
)

var silent = says() // takes the connection and waits

// connects are scenarios of the connection itself.
var connects = []scenario{
	{name: "plain", server: silent, want: "L4OK/"},
	{name: "plain, refused", server: closedPort, want: "L4CON/ Connection refused"},
	{name: "plain, no answer", server: silentPort, want: "L4TOUT/"},
	{name: "plain, no answer in timeout connect", server: silentPort, lines: "timeout check 100ms\ntimeout connect 200ms", want: "L4TOUT/"},
	{name: "plain, another port", server: silent, args: "port 1", want: "L4CON/ Connection refused"},
	{name: "plain, another address", server: silent, args: "addr 127.0.0.2", want: "L4CON/ Connection refused"},
	{name: "option alone", server: silent, lines: tcp, want: "L4OK/"},
	{name: "option alone, refused", server: closedPort, lines: tcp, want: "L4CON/ Connection refused at initial connection step of tcp-check"},
	{name: "option alone, no answer", server: silentPort, lines: tcp, want: "L4TOUT/  at initial connection step of tcp-check"},
	{name: "connect", server: silent, lines: tcp + "tcp-check connect", want: "L4OK/ (tcp-check)"},
	{name: "connect, refused", server: closedPort, lines: tcp + "tcp-check connect", want: "L4CON/ Connection refused at step 1 of tcp-check (connect)"},
	{name: "connect port", server: silent, lines: tcp + "tcp-check connect port 1 comment 'the com'", want: "L4CON/ Connection refused at step 1 of tcp-check (connect port 1) comment: 'the com'"},
	{name: "connect twice", server: silent, lines: tcp + "tcp-check connect\ntcp-check connect port 1", want: "L4CON/ Connection refused at step 2 of tcp-check (connect port 1)"},
	{name: "connect by variable", server: silent, lines: tcp + "tcp-check set-var(check.port) int(1)\ntcp-check connect port var(check.port)", want: "L4CON/ Connection refused at step 2 of tcp-check (connect)"},
	{name: "connect addr", server: silent, lines: tcp + "tcp-check connect addr 127.0.0.2", want: "L4CON/ Connection refused at step 1 of tcp-check (connect)"},
	{name: "send only", server: silent, lines: tcp + "tcp-check send foo", want: "L7OK/0 (tcp-check)"},
	{name: "send, refused", server: closedPort, lines: tcp + "tcp-check send foo", want: "L4CON/ Connection refused at initial connection step of tcp-check"},
	{name: "expect, no answer", server: silentPort, lines: tcp + "tcp-check expect string foo", want: "L4TOUT/  at initial connection step of tcp-check"},
}

// expects are scenarios of tcp-check's "expect".
var expects = []scenario{
	{name: "silence", server: silent, lines: tcp + "tcp-check expect string foo", want: "L7TOUT/  at step 1 of tcp-check (expect string 'foo')"},
	{name: "silence, comment", server: silent, lines: tcp + "tcp-check expect comment bar string foo", want: "L7TOUT/  at step 1 of tcp-check (expect string 'foo') comment: 'bar'"},
	{name: "silence, comment line", server: silent, lines: tcp + "tcp-check comment before\ntcp-check expect string foo", want: "L7TOUT/  at step 2 of tcp-check (expect string 'foo') comment: 'before'"},
	{name: "silence, regex", server: silent, lines: tcp + "tcp-check expect rstring foo", want: "L7TOUT/  at step 1 of tcp-check (expect regex)"},
	{name: "silence, binary", server: silent, lines: tcp + "tcp-check expect binary 666f6f", want: "L7TOUT/  at step 1 of tcp-check (expect binary 'foo')"},
	{name: "silence, binary regex", server: silent, lines: tcp + "tcp-check expect rbinary 666f6f", want: "L7TOUT/  at step 1 of tcp-check (expect binary regex)"},
	{name: "silence, format", server: silent, lines: tcp + "tcp-check expect string-lf a%[int(1)]", want: "L7TOUT/  at step 1 of tcp-check (expect log-format string)"},
	{name: "silence, binary format", server: silent, lines: tcp + "tcp-check expect binary-lf a%[int(1)]", want: "L7TOUT/  at step 1 of tcp-check (expect log-format binary)"},
	{name: "silence, not", server: silent, lines: tcp + "tcp-check expect ! string foo", want: "L7TOUT/  at step 1 of tcp-check (expect string 'foo')"},
	{name: "silence at step 6", server: silent, lines: tcp + "tcp-check comment one\ntcp-check connect\ntcp-check comment two\ntcp-check send a\ntcp-check comment three\ntcp-check expect string foo", want: "L7TOUT/  at step 6 of tcp-check (expect string 'foo') comment: 'three'"},
	{name: "silence after set-var", server: silent, lines: tcp + "tcp-check set-var(check.x) int(1)\ntcp-check expect string foo", want: "L7TOUT/  at step 2 of tcp-check (expect string 'foo')"},
	{name: "tout-status", server: silent, lines: tcp + "tcp-check expect tout-status L6TOUT string foo", want: "L6TOUT/  at step 1 of tcp-check (expect string 'foo')"},
	{name: "one byte after the other", server: does(drips("hello world foo", 100*time.Millisecond)), lines: tcp + "tcp-check expect string foo", want: "L7TOUT/  at step 1 of tcp-check (expect string 'foo')"},
	{name: "closes", server: says("!"), lines: tcp + "tcp-check expect string foo", want: "L7RSP/ TCPCHK got an empty response at step 1"},
	{name: "closes, not", server: says("!"), lines: tcp + "tcp-check expect ! string foo", want: "L7RSP/ TCPCHK got an empty response at step 1"},
	{name: "closes, comment", server: says("!"), lines: tcp + "tcp-check expect comment bar string foo", want: "L7RSP/ TCPCHK got an empty response at step 1 comment: 'bar'"},
	{name: "closes after one answer", server: says("hello", "<", "!"), lines: tcp + "tcp-check expect string hello\ntcp-check send x\ntcp-check expect string bye", want: "L7RSP/ TCPCHK got an empty response at step 3"},
	{name: "resets after one answer", server: says("hello", "<", "!!"), lines: tcp + "tcp-check expect string hello\ntcp-check send x\ntcp-check expect string bye", want: "SOCKERR/ Connection reset by peer at step 3 of tcp-check (expect string 'bye')"},
	{name: "another answer", server: says("hello\r\nworld"), lines: tcp + "tcp-check expect string foo", want: "L7TOUT/  at step 1 of tcp-check (expect string 'foo')"},
	{name: "another answer, and closes", server: says("hello\r\nworld", "!"), lines: tcp + "tcp-check expect string foo", want: "L7RSP/ TCPCHK did not match content 'foo' at step 1"},
	{name: "another answer, comment", server: says("hello", "!"), lines: tcp + "tcp-check expect comment 'a comment' string foo", want: "L7RSP/ TCPCHK did not match content 'foo' at step 1 comment: a comment"},
	{name: "another answer, min-recv 0", server: says("hello"), lines: tcp + "tcp-check expect min-recv 0 string foo", want: "L7RSP/ TCPCHK did not match content 'foo' at step 1"},
	{name: "another answer, regex", server: says("hello", "!"), lines: tcp + "tcp-check expect rstring foo.*", want: "L7RSP/ TCPCHK did not match content (regex) at step 1"},
	{name: "another answer, binary", server: says("hello", "!"), lines: tcp + "tcp-check expect binary 666f6f", want: "L7RSP/ TCPCHK did not match content (binary) at step 1"},
	{name: "another answer, binary regex", server: says("hello", "!"), lines: tcp + "tcp-check expect rbinary 666f6f", want: "L7RSP/ TCPCHK did not match content (binary regex) at step 1"},
	{name: "another answer, format", server: says("hello", "!"), lines: tcp + "tcp-check expect string-lf foo%[int(5)]", want: "L7RSP/ TCPCHK did not match content (log-format string) at step 1"},
	{name: "another answer, binary format", server: says("hello", "!"), lines: tcp + "tcp-check expect binary-lf 666f%[int(66)]", want: "L7RSP/ TCPCHK did not match content (log-format binary) at step 1"},
	{name: "binary regex sees capitals", server: says("hello", "!"), lines: tcp + "tcp-check expect rbinary 68656C", want: "L7OK/0 (tcp-check)"},
	{name: "binary regex, lower case", server: says("hello", "!"), lines: tcp + "tcp-check expect rbinary 68656c", want: "L7RSP/ TCPCHK did not match content (binary regex) at step 1"},
	{name: "right", server: says("hello foo"), lines: tcp + "tcp-check expect string foo", want: "L7OK/0 (tcp-check)"},
	{name: "right, beyond a NUL", server: says("hel\x00foo"), lines: tcp + "tcp-check expect rstring fo+", want: "L7OK/0 (tcp-check)"},
	{name: "right, format", server: says("hello foo5"), lines: tcp + "tcp-check expect string-lf foo%[int(5)]", want: "L7OK/0 (tcp-check)"},
	{name: "right, binary format", server: says("hello foo5"), lines: tcp + "tcp-check expect binary-lf 666f6f%[int(35)]", want: "L7OK/0 (tcp-check)"},
	{name: "two in one answer", server: says("hello bye"), lines: tcp + "tcp-check expect string hello\ntcp-check expect string bye", want: "L7OK/0 (tcp-check)"},
	{name: "unwanted", server: says("hello foo"), lines: tcp + "tcp-check expect ! string foo", want: "L7RSP/ TCPCHK matched unwanted content 'foo' at step 1"},
	{name: "unwanted, regex", server: says("hello foo"), lines: tcp + "tcp-check expect ! rstring fo+", want: "L7RSP/ TCPCHK matched unwanted content (regex) at step 1"},
	{name: "unwanted, binary", server: says("hello foo"), lines: tcp + "tcp-check expect ! binary 666f6f", want: "L7RSP/ TCPCHK matched unwanted content (binary) at step 1"},
	{name: "unwanted, binary regex", server: says("hello foo"), lines: tcp + "tcp-check expect ! rbinary 666F6F", want: "L7RSP/ TCPCHK matched unwanted content (binary regex) at step 1"},
	{name: "unwanted, not there yet", server: says("hello world"), lines: tcp + "tcp-check expect ! string foo", want: "L7TOUT/  at step 1 of tcp-check (expect string 'foo')"},
	{name: "unwanted, not there", server: says("hello world", "!"), lines: tcp + "tcp-check expect ! string foo", want: "L7OK/0 (tcp-check)"},
	{name: "too long an answer", server: says(strings.Repeat("x", bufferful)), lines: tcp + "tcp-check expect string foo", want: "L7RSP/ TCPCHK did not match content 'foo' at step 1"},
	{name: "ok-status", server: says("hello"), lines: tcp + "tcp-check expect ok-status L7OKC string hello", want: "L7OKC/0 (tcp-check)"},
	{name: "ok-status of layer 4", server: says("hello"), lines: tcp + "tcp-check expect ok-status L4OK string hello", want: "L4OK/ (tcp-check)"},
	{name: "error-status", server: says("hello"), lines: tcp + "tcp-check expect min-recv 5 error-status L4CON string foo", want: "L4CON/ TCPCHK did not match content 'foo' at step 1"},
	{name: "error-status that is conditional", server: says("hello"), lines: tcp + "tcp-check expect error-status L7OKC ! string hello", want: "L7OKC/0 TCPCHK matched unwanted content 'hello' at step 1"},
	{name: "on-success", server: says("hello"), lines: tcp + "tcp-check expect on-success yes:%[int(4)]:%s string hello", want: "L7OK/0 yes:4:s"},
	{name: "on-success, not the last", server: says("hello"), lines: tcp + "tcp-check expect on-success yes string hello\ntcp-check send foo", want: "L7OK/0 (tcp-check)"},
	{name: "on-success of the last", server: says("hello"), lines: tcp + "tcp-check expect on-success yes string hello\ntcp-check expect on-success no! string hello", want: "L7OK/0 no!"},
	{name: "on-error", server: says("hello"), lines: tcp + "tcp-check expect on-error 'bad:%[res.payload(0,5)]' ! string hello", want: "L7RSP/ bad:hello"},
	{name: "on-error, comment", server: says("hello"), lines: tcp + "tcp-check expect on-error 'bad:%[res.payload(0,5)]' comment cc ! string hello", want: "L7RSP/ bad:hello comment: cc"},
	{name: "status-code", server: says("200 lo"), lines: tcp + "tcp-check expect status-code 'res.payload(0,3)' string lo", want: "L7OK/200 (tcp-check)"},
	{name: "variables", server: says("<", "a5z"), lines: tcp + "tcp-check set-var(check.a) int(5)\ntcp-check unset-var(check.b)\ntcp-check send x\ntcp-check expect string-lf a%[var(check.a)]z", want: "L7OK/0 (tcp-check)"},
	{name: "variables, unset", server: says("<", "az"), lines: tcp + "tcp-check set-var(check.a) int(5)\ntcp-check unset-var(check.a)\ntcp-check send x\ntcp-check expect string-lf a%[var(check.a)]z", want: "L7OK/0 (tcp-check)"},
}

const okay = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
const inChunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
const headed = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nX-L: foo, bar,baz\r\nX-L: last\r\nContent-Length: 5\r\n\r\nhello"

// https are scenarios of option httpchk.
var https = []scenario{
	{name: "200", server: says("<", okay), lines: http, want: "L7OK/200"},
	{name: "204", server: says("<", "HTTP/1.0 204 No Content\r\n\r\n"), lines: http, want: "L7OK/204"},
	{name: "301", server: says("<", "HTTP/1.0 301 Moved\r\n\r\n"), lines: http, want: "L7OK/301"},
	{name: "404", server: says("<", "HTTP/1.0 404 Not Found\r\n\r\n"), lines: http, want: "L7STS/404 Not Found"},
	{name: "500", server: says("<", "HTTP/1.0 500 Oops I did it\r\n\r\n"), lines: http, want: "L7STS/500 Oops I did it"},
	{name: "500 without reason", server: says("<", "HTTP/1.0 500\r\n\r\n"), lines: http, want: "L7STS/500"},
	{name: "101", server: says("<", "HTTP/1.1 101 Switching\r\n\r\n"), lines: http, want: "L7STS/101 Switching"},
	{name: "100 before", server: says("<", "HTTP/1.1 100 Continue\r\n\r\n"+okay), lines: http, want: "L7STS/100 Continue"},
	{name: "disable-on-404", server: says("<", "HTTP/1.0 404 Not Found\r\n\r\n"), lines: http + "http-check disable-on-404", want: "L7OKC/404"},
	{name: "disable-on-404 before expect", server: says("<", "HTTP/1.0 404 Not Found\r\n\r\n"), lines: http + "http-check disable-on-404\nhttp-check expect status 200", want: "L7OKC/404"},
	{name: "disable-on-404, 500", server: says("<", "HTTP/1.0 500 No\r\n\r\n"), lines: http + "http-check disable-on-404", want: "L7STS/500 No"},
	{name: "refused", server: closedPort, lines: http, want: "L4CON/ Connection refused"},
	{name: "no answer", server: silentPort, lines: http, want: "L4TOUT/"},
	{name: "silence", server: silent, lines: http, want: "L7TOUT/"},
	{name: "closes", server: says("<", "!"), lines: http, want: "L7RSP/"},
	{name: "resets", server: says("<", "!!"), lines: http, want: "SOCKERR/ Connection reset by peer"},
	{name: "another protocol", server: says("SSH-2.0-OpenSSH\r\n"), lines: http, want: "L7RSP/"},
	{name: "half a line of another protocol", server: says("<", "garbage"), lines: http, want: "L7RSP/"},
	{name: "half a line", server: says("<", "HTTP/1.0 20"), lines: http, want: "L7TOUT/"},
	{name: "half a line, and closes", server: says("<", "HTTP/1.0 20", "!"), lines: http, want: "L7RSP/"},
	{name: "half the headers", server: says("<", "HTTP/1.0 200 OK\r\nFoo: bar\r\n"), lines: http, want: "L7TOUT/"},
	{name: "half the headers, and closes", server: says("<", "HTTP/1.0 200 OK\r\nFoo: bar\r\n", "!"), lines: http, want: "L7RSP/"},
	{name: "half the body", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"), lines: http, want: "L7OK/200"},
	{name: "one byte after the other", server: does(drips(okay, 100*time.Millisecond)), lines: http, want: "L7TOUT/"},
	{name: "a line that is no header", server: says("<", "HTTP/1.1 200 OK\r\nFoo bar\r\n\r\n"), lines: http, want: "L7RSP/"},
	{name: "no length", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), lines: http, want: "L7RSP/"},
	{name: "two lengths", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), lines: http, want: "L7RSP/"},
	{name: "lines without CR", server: says("<", "HTTP/1.0 200 OK\nFoo: bar\n\nhello"), lines: http, want: "L7OK/200"},
	{name: "version 2.0", server: says("<", "HTTP/2.0 200 OK\r\n\r\n"), lines: http, want: "L7OK/200"},
	{name: "code 99", server: says("<", "HTTP/1.0 099 OK\r\n\r\n"), lines: http, want: "L7STS/99 OK"},
	{name: "code 2000", server: says("<", "HTTP/1.0 2000 OK\r\n\r\n"), lines: http, want: "L7STS/2000 OK"},
	{name: "code 200x", server: says("<", "HTTP/1.0 200x OK\r\n\r\n"), lines: http, want: "L7RSP/"},
	{name: "too long a header", server: says("<", "HTTP/1.0 200 OK\r\nFoo: "+strings.Repeat("x", bufferful)+"\r\n\r\n"), lines: http, want: "L7RSP/"},

	{name: "status", server: says("<", okay), lines: http + "http-check expect status 200-299,404", want: "L7OK/200"},
	{name: "status, another", server: says("<", okay), lines: http + "http-check expect comment 'my c' status 404,410-499", want: "L7STS/200 OK comment: my c"},
	{name: "not status", server: says("<", okay), lines: http + "http-check expect ! status 200", want: "L7STS/200 OK"},
	{name: "rstatus", server: says("<", okay), lines: http + "http-check expect rstatus ^2", want: "L7OK/200"},
	{name: "not rstatus", server: says("<", okay), lines: http + "http-check expect ! rstatus ^2", want: "L7STS/200 OK"},
	{name: "string", server: says("<", okay), lines: http + "http-check expect string ell", want: "L7OK/200"},
	{name: "string, 404", server: says("<", "HTTP/1.0 404 No\r\nContent-Length: 5\r\n\r\nhello"), lines: http + "http-check expect string ell", want: "L7OK/404"},
	{name: "string, in a header only", server: says("<", okay), lines: http + "http-check expect string Length", want: "L7RSP/ HTTP content check did not match"},
	{name: "not string", server: says("<", okay), lines: http + "http-check expect ! string ell", want: "L7RSP/ HTTP check matched unwanted content"},
	{name: "not string, not there", server: says("<", okay), lines: http + "http-check expect ! string foo", want: "L7OK/200"},
	{name: "rstring", server: says("<", okay), lines: http + "http-check expect rstring e.*o", want: "L7OK/200"},
	{name: "rstring, another", server: says("<", okay), lines: http + "http-check expect rstring foo", want: "L7RSP/ HTTP content check did not match"},
	{name: "string-lf", server: says("<", okay), lines: http + "http-check expect string-lf foo", want: "L7RSP/ HTTP content check did not match"},
	{name: "chunks", server: says("<", inChunks), lines: http + "http-check expect string 'lo wor'", want: "L7OK/200"},
	{name: "chunks, another", server: says("<", inChunks), lines: http + "http-check expect string foo", want: "L7RSP/ HTTP content check did not match"},
	{name: "no body", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), lines: http + "http-check expect string foo", want: "L7RSP/ HTTP content check could not find a response body"},
	{name: "not string, no body", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), lines: http + "http-check expect ! string foo", want: "L7RSP/ HTTP content check could not find a response body"},
	{name: "string in half the body", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"), lines: http + "http-check expect string ell", want: "L7OK/200"},
	{name: "string not in half the body", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"), lines: http + "http-check expect string foo", want: "L7TOUT/"},
	{name: "string not in half the body, min-recv 0", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"), lines: http + "http-check expect min-recv 0 string foo", want: "L7RSP/ HTTP content check did not match"},
	{name: "string not in half the body, and closes", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "!"), lines: http + "http-check expect string foo", want: "L7RSP/ HTTP content check did not match"},
	{name: "body until the end", server: says("<", "HTTP/1.1 200 OK\r\n\r\nhello", "!"), lines: http + "http-check expect string foo", want: "L7RSP/ HTTP content check did not match"},
	{name: "too long a body", server: says("<", "HTTP/1.1 200 OK\r\nContent-Length: 40003\r\n\r\n"+strings.Repeat("y", bufferful)+"foo"), lines: http + "http-check expect string foo", want: "L7RSP/ HTTP content check did not match"},
	{name: "header", server: says("<", headed), lines: http + "http-check expect hdr name set-cookie value a=1", want: "L7OK/200"},
	{name: "header, value's case", server: says("<", headed), lines: http + "http-check expect hdr name set-cookie value A=1", want: "L7STS/200 OK"},
	{name: "header, beginnings", server: says("<", headed), lines: http + "http-check expect hdr name -m beg set- value -m beg a", want: "L7OK/200"},
	{name: "header, ends", server: says("<", headed), lines: http + "http-check expect hdr name -m end cookie value -m sub =", want: "L7OK/200"},
	{name: "header in a list", server: says("<", headed), lines: http + "http-check expect hdr name x-l value bar", want: "L7OK/200"},
	{name: "header, second line", server: says("<", headed), lines: http + "http-check expect hdr name x-l value last", want: "L7OK/200"},
	{name: "full header", server: says("<", headed), lines: http + "http-check expect fhdr name x-l value 'foo, bar,baz'", want: "L7OK/200"},
	{name: "full header in a list", server: says("<", headed), lines: http + "http-check expect fhdr name x-l value bar", want: "L7STS/200 OK"},
	{name: "no such header", server: says("<", headed), lines: http + "http-check expect hdr name x-none", want: "L7STS/200 OK"},
	{name: "unwanted header", server: says("<", headed), lines: http + "http-check expect ! fhdr name x-l", want: "L7STS/200 OK"},
	{name: "header by regex", server: says("<", headed), lines: http + "http-check expect hdr name -m reg ^X- value -m reg ^b.r$", want: "L7OK/200"},
	{name: "on-success", server: says("<", okay), lines: http + "http-check expect on-success %[status]! status 200", want: "L7OK/200 200!"},
	{name: "error-status", server: says("<", okay), lines: http + "http-check expect error-status L7RSP status 400", want: "L7RSP/ OK"},
	{name: "ok-status", server: says("<", okay), lines: http + "http-check expect ok-status L7OKC status 200", want: "L7OKC/200"},
	{name: "script, 404", server: says("<", "HTTP/1.0 404 Not Found\r\n\r\n"), lines: http + "http-check connect\nhttp-check send", want: "L7STS/404 Not Found"},
	{name: "script, refused", server: closedPort, lines: http + "http-check connect\nhttp-check send\nhttp-check expect status 200", want: "L4CON/ Connection refused"},
}
