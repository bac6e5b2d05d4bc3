package e2e

import (
	"io"
	"strings"
	"testing"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// Servers that do everything but serve, and what each kind of check makes of them. The process is well afterwards: a server
// that answers without end must not fill its memory or its log.
func TestChecksOfHostileServers(t *testing.T) {
	t.Parallel()
	const (
		refused  = `Layer4 connection problem, info: "Connection refused"`
		silence  = "Layer4 timeout"
		timeout  = "Layer7 timeout"
		passed   = "Layer4 check passed"
		invalid  = "Layer7 invalid response"
		wrong    = "Layer7 wrong status, code: 0"
		noLDAP   = invalid + `, info: "Not LDAPv3 protocol"`
		noPGSQL  = wrong + `, info: "PostgreSQL unknown error"`
		noSPOP   = invalid + `, info: "invalid frame received"`
		noMySQL  = invalid + `, info: "not a MySQL greeting"`
		empty2   = `, info: "TCPCHK got an empty response at step 2"`
		step1    = ", info: \" at step 1 of tcp-check (expect string 'ready')\""
		step3    = ", info: \" at step 3 of tcp-check (expect string 'ready')\""
		mismatch = `, info: "TCPCHK did not match content 'ready' at step `
	)
	flood := `, info: "` + strings.Repeat("x", 127) + `"`
	endless := harness.Serve(t, endlessly)
	servers := []struct{ name, addr string }{
		{"refused", harness.Refused(t)},
		{"half-open", harness.Blackhole(t)}, // its queue of connections is full
		{"silent", harness.Serve(t, harness.Hold).Addr},
		{"closes", harness.Serve(t, func(s harness.Stream) { s.CloseWrite(); harness.Hold(s) }).Addr},
		{"says bye", harness.Serve(t, func(s harness.Stream) {
			s.Read(make([]byte, 4096))
			io.WriteString(s, "bye")
			s.CloseWrite()
			harness.Hold(s)
		}).Addr},
		{"byte a second", harness.Serve(t, byteASecond("220 HTTP/1.0 200 OK")).Addr},
		{"endless", endless.Addr},
	}
	list := []healthCheck{}
	for _, kind := range []struct {
		name, lines string
		wants       [7]string
		// haproxy's results where they differ, by the server's number.
		differ map[int]harness.Difference
		others map[int]string
	}{
		{name: "connect", wants: [7]string{refused, silence, passed, passed, passed, passed, passed}},
		{name: "script", lines: "option tcp-check\ntcp-check connect\ntcp-check send HELP\\r\\n\ntcp-check expect string ready",
			wants: [7]string{
				`Layer4 connection problem, info: "Connection refused at step 1 of tcp-check (connect)"`,
				`Layer4 timeout, info: " at step 1 of tcp-check (connect)"`,
				timeout + step3, invalid + `, info: "TCPCHK got an empty response at step 3"`, invalid + mismatch + `3"`, timeout + step3, invalid + mismatch + `3"`}},
		{name: "bare script", lines: "option tcp-check\ntcp-check expect string ready",
			wants: [7]string{
				`Layer4 connection problem, info: "Connection refused at initial connection step of tcp-check"`,
				`Layer4 timeout, info: " at initial connection step of tcp-check"`,
				timeout + step1, invalid + `, info: "TCPCHK got an empty response at step 1"`, timeout + step1, timeout + step1, invalid + mismatch + `1"`}},
		{name: "http", lines: "option httpchk",
			wants:  [7]string{refused, silence, timeout, invalid, invalid, invalid, invalid},
			differ: map[int]harness.Difference{5: harness.PatientChecks}, others: map[int]string{5: timeout}},
		{name: "smtp", lines: "option smtpchk",
			wants: [7]string{refused, silence, timeout, invalid + empty2, timeout, timeout, invalid + flood}},
		{name: "pgsql", lines: "option pgsql-check user u",
			wants:  [7]string{refused, silence, timeout, invalid + `, info: "TCPCHK got an empty response at step 3"`, noPGSQL, noPGSQL, noPGSQL},
			differ: map[int]harness.Difference{5: harness.PatientChecks}, others: map[int]string{5: timeout}},
		{name: "mysql", lines: "option mysql-check user u",
			wants:  [7]string{refused, silence, timeout, invalid + empty2, timeout, timeout, noMySQL},
			differ: map[int]harness.Difference{3: harness.EagerLogin, 4: harness.EagerLogin, 6: harness.MySQLGreeting},
			others: map[int]string{3: invalid + `, info: "TCPCHK got an empty response at step 3"`, 4: invalid, 6: invalid}},
		{name: "redis", lines: "option redis-check",
			wants: [7]string{refused, silence, timeout, wrong + empty2, wrong + `, info: "bye"`, timeout, wrong + flood}},
		{name: "ldap", lines: "option ldap-check",
			wants:  [7]string{refused, silence, timeout, invalid + empty2, noLDAP, noLDAP, noLDAP},
			differ: map[int]harness.Difference{5: harness.PatientChecks}, others: map[int]string{5: timeout}},
		{name: "tls", lines: "option ssl-hello-chk",
			wants: [7]string{refused, silence, "Layer6 timeout", "Layer6 invalid response" + empty2, "Layer6 invalid response", "Layer6 invalid response",
				"Layer6 invalid response"},
			differ: map[int]harness.Difference{5: harness.PatientChecks}, others: map[int]string{5: "Layer6 timeout"}},
		{name: "spop", lines: "option spop-check",
			wants: [7]string{refused, silence, timeout, invalid + empty2, noSPOP, timeout, noSPOP}},
	} {
		for i, s := range servers {
			list = append(list, healthCheck{name: kind.name + " " + s.name, lines: impatient + kind.lines, server: s.addr, want: kind.wants[i],
				differs: kind.differ[i], reference: kind.others[i]})
		}
	}
	b := judge(t, "", list)
	// Each has a socket at most, and a buffer while it is under way, however much comes and however often.
	for _, past := range []int64{2, 4} {
		harness.Eventually(t, "further checks of the endless server", func() bool { return endless.Accepted.Load() >= past*int64(len(list)/len(servers)) })
		if streams := b.Streams(); streams > len(list) {
			t.Errorf("%d sockets for %d checks", streams, len(list))
		}
		if resident := harness.Resident(b.PID); resident > 64<<20 && !harness.Subject.Race {
			t.Errorf("checks take %d MiB of memory", resident>>20)
		}
	}
}

// endlessly writes without end and reads nothing.
func endlessly(s harness.Stream) {
	text := []byte(strings.Repeat("x", 4096))
	for {
		if _, err := s.Write(text); err != nil {
			return
		}
	}
}
