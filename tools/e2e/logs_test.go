package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// logged runs one flow of five bytes each way through a balancer with the log line given, and nothing else.
func logged(t *testing.T, log string, options ...harness.Options) *harness.Balancer {
	t.Helper()
	addr, origin := harness.Loopback(t), harness.Serve(t, harness.Echo)
	b := harness.Start(t, "global\n"+indent(log)+
		"defaults\n  mode tcp\n  log global\n  option tcplog\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"+
		section("listen front", "bind "+addr, "server origin "+origin.Addr), options...)
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	client.Close()
	harness.Eventually(t, "the flow ends", func() bool { return b.Streams() == 0 })
	return b
}

// line is tcplog's line of that flow.
const line = `127\.0\.0\.1:\d+ \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3}\] front front/origin \d+/\d+/\d+ 5 -- 1/1/0/0/0 0/0`

// isFlow accepts the lines of flows, not what the process says of itself.
func isFlow(text string) bool { return strings.Contains(text, "front/origin") }

func match(t *testing.T, got, pattern string) {
	t.Helper()
	pattern = strings.NewReplacer("TAG", harness.Tag(), "LINE", line).Replace(pattern)
	if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
		t.Errorf("logged\n%q, want\n%s", got, pattern)
	}
}

const (
	bsdDate = `[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d`
	isoDate = `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d`
)

// Each format, to a UDP port. 134 is local0 (16) times 8 plus info (6).
func TestLogFormats(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ format, global, want string }{
		{"", "", `<134>` + bsdDate + ` TAG\[\d+\]: LINE`},
		{"format local", "", `<134>` + bsdDate + ` TAG\[\d+\]: LINE`},
		{"format rfc3164", "", `<134>` + bsdDate + ` localhost TAG\[\d+\]: LINE`},
		{"format rfc3164", "log-send-hostname edge", `<134>` + bsdDate + ` edge TAG\[\d+\]: LINE`},
		{"format rfc5424", "", `<134>1 ` + isoDate + ` - TAG \d+ - - LINE`},
		{"format rfc5424", "log-send-hostname edge", `<134>1 ` + isoDate + ` edge TAG \d+ - - LINE`},
		{"format priority", "", `<134>LINE`},
		{"format short", "", `<6>LINE`},
		{"format timed", "", `<6>` + isoDate + ` LINE`},
		{"format iso", "", isoDate + ` LINE`},
		{"format raw", "", `LINE`},
		{"", "log-tag gate", `<134>` + bsdDate + ` gate\[\d+\]: LINE`},
		{"", "log-send-hostname edge", `<134>` + bsdDate + ` edge TAG\[\d+\]: LINE`},
	} {
		t.Run(c.format+" "+c.global, func(t *testing.T) {
			t.Parallel()
			logs := harness.ReceiveUDP(t)
			logged(t, c.global+"\nlog "+logs.Addr+" "+c.format+" local0")
			match(t, logs.WaitFor(t, "a flow", isFlow), c.want)
		})
	}
}

// Each kind of target.
func TestLogTargets(t *testing.T) {
	t.Parallel()
	t.Run("unixgram", func(t *testing.T) {
		t.Parallel()
		logs := harness.ReceiveUnix(t)
		logged(t, "log "+logs.Addr+" local7 info")
		match(t, logs.WaitFor(t, "a flow", isFlow), `<190>`+bsdDate+` TAG\[\d+\]: LINE`)
	})
	t.Run("stdout", func(t *testing.T) {
		t.Parallel()
		b := logged(t, "log stdout format raw daemon")
		match(t, b.Stdout.WaitFor(t, "a flow", isFlow), `LINE`)
	})
	t.Run("stderr", func(t *testing.T) {
		t.Parallel()
		b := logged(t, "log stderr format short daemon")
		match(t, b.Stderr.WaitFor(t, "a flow", isFlow), `<6>LINE`)
	})
	t.Run("fd", func(t *testing.T) {
		t.Parallel()
		path := harness.ShortDir(t) + "/log"
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		logged(t, "log fd@3 format raw local0", harness.Options{Files: []*os.File{file}})
		harness.Eventually(t, "the line is in the file", func() bool {
			text, _ := os.ReadFile(path)
			return strings.HasSuffix(string(text), "\n")
		})
		text, _ := os.ReadFile(path)
		match(t, strings.TrimSuffix(string(text), "\n"), `LINE`)
	})
	t.Run("two", func(t *testing.T) {
		t.Parallel()
		one, two := harness.ReceiveUDP(t), harness.ReceiveUDP(t)
		logged(t, "log "+one.Addr+" local0\nlog "+two.Addr+" local1")
		match(t, one.WaitFor(t, "a flow", isFlow), `<134>`+bsdDate+` TAG\[\d+\]: LINE`)
		match(t, two.WaitFor(t, "a flow", isFlow), `<142>`+bsdDate+` TAG\[\d+\]: LINE`)
	})
}

// A level leaves out what is less severe; len cuts.
func TestLogLevelAndLength(t *testing.T) {
	t.Parallel()
	all, notice, short := harness.ReceiveUDP(t), harness.ReceiveUDP(t), harness.ReceiveUDP(t)
	logged(t, "log "+notice.Addr+" local0 notice\nlog "+short.Addr+" len 80 local0\nlog "+all.Addr+" local0")
	all.WaitFor(t, "a flow", isFlow)
	if got := notice.Count("front/origin"); got != 0 {
		t.Errorf("a flow of level info was sent to a target for notice:\n%s", notice.Text())
	}
	cut := short.WaitFor(t, "a flow", func(text string) bool { return strings.Contains(text, "127.0.0.1:") })
	if len(cut) < 78 || len(cut) > 80 {
		t.Errorf("a line for len 80 has %d bytes: %q", len(cut), cut)
	}
}

// What 'option' says about which flows are logged, when and how loudly.
func TestLogOptions(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	asap, broken := harness.Loopback(t), harness.Loopback(t)
	harness.Start(t, config(logs, "retries 0",
		section("listen quiet", "bind "+addr, "option dontlognull", "server origin "+origin.Addr),
		section("listen asap", "bind "+asap, "option logasap", "server origin "+origin.Addr),
		section("listen loud", "bind "+broken, "option log-separate-errors", "server gone "+harness.Refused(t))))

	client := harness.DialTCP(t, asap)
	exchange(t, client)
	if flow := logs.Flow(t); !flow.Early || flow.Frontend != "asap" || flow.State != "--" {
		t.Errorf("%+v, want an early line", flow)
	}
	client.Close()

	null := harness.DialTCP(t, addr)
	null.CloseWrite()
	harness.AwaitEnd(t, null)
	client = harness.DialTCP(t, addr)
	exchange(t, client)
	client.Close()
	if flow := logs.Flow(t); flow.Frontend != "quiet" || flow.Bytes != 5 {
		t.Errorf("%+v, want only the flow with bytes", flow)
	}

	harness.AwaitEnd(t, harness.DialTCP(t, broken))
	if text := logs.Next(t); !strings.HasPrefix(text, "<131>") || !strings.Contains(text, " SC ") {
		t.Errorf("logged %q, want level err (<131>)", text)
	}
}

// A format of one's own, with the variables of TCP.
func TestLogFormatVariables(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, harness.Echo)
	harness.Start(t, config(logs, "", section("listen front", "bind "+addr+" name door",
		`log-format "ci=%ci fi=%fi fp=%fp b=%b f=%f s=%s si=%si sp=%sp B=%B U=%U ts=%ts ac=%ac fc=%fc rc=%rc sq=%sq bq=%bq ft=%ft lc=%lc %% %{+Q}b"`,
		"server origin "+origin.Addr)))
	client := harness.DialTCP(t, addr)
	exchange(t, client)
	client.Close()
	text := logs.WaitText(t, "ci=")
	_, text, _ = strings.Cut(text, "]: ")
	want := fmt.Sprintf(`ci=127.0.0.1 fi=127.0.0.1 fp=%s b=front f=front s=origin si=127.0.0.1 sp=%s B=5 U=5 ts=-- ac=1 fc=1 rc=0 sq=0 bq=0 ft=front lc=0 %% "front"`,
		port(addr), port(origin.Addr))
	if text != want {
		t.Errorf("logged\n%s, want\n%s", text, want)
	}
}

// Of every two lines the first goes to one target, the second to the other.
func TestLogSample(t *testing.T) {
	t.Parallel()
	one, two := harness.ReceiveUDP(t), harness.ReceiveUDP(t)
	addr, origin := harness.Loopback(t), harness.Serve(t, harness.Echo)
	harness.Start(t, "defaults\n  mode tcp\n  option tcplog\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"+
		section("listen front", "bind "+addr, "log "+one.Addr+" sample 1:4 local0", "log "+two.Addr+" sample 2-4:4 local0", "server origin "+origin.Addr))
	for range 20 {
		client := harness.DialTCP(t, addr)
		exchange(t, client)
		client.Close()
	}
	harness.Eventually(t, "every line went to one of both", func() bool {
		return one.Count("front/origin") == 5 && two.Count("front/origin") == 15
	})
}

// The whole line, with every number known beforehand.
func TestTCPLogLine(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	origin := harness.Serve(t, func(s harness.Stream) {
		s.Read(make([]byte, 100))
		s.Write(make([]byte, 1234))
		harness.Hold(s)
	})
	harness.Start(t, config(logs, "", section("frontend front", "bind "+addr, "default_backend pool"),
		section("backend pool", "server one "+origin.Addr)))
	other := harness.DialTCP(t, addr)
	harness.Say(t, other, "held")
	harness.Hear(t, other, strings.Repeat("\x00", 1234))
	before := time.Now()
	client := harness.DialTCP(t, addr)
	harness.Say(t, client, "question")
	harness.Hear(t, client, strings.Repeat("\x00", 1234))
	time.Sleep(300 * time.Millisecond) // what Tt must show
	client.Close()
	flow := logs.Flow(t)
	if off := flow.Accepted.Sub(before); off < -50*time.Millisecond || off > 500*time.Millisecond {
		t.Errorf("accepted at %v, connected at %v", flow.Accepted, before)
	}
	harness.TookMillis(t, "Tt", flow.Tt, 300*time.Millisecond)
	text := port(client.LocalAddr().String())
	if fmt.Sprint(flow.ClientPort) != text || flow.Client != "127.0.0.1" || flow.Frontend != "front" || flow.Backend != "pool" ||
		flow.Server != "one" || flow.Bytes != 1234 || flow.State != "--" || flow.ActConn != 2 || flow.FeConn != 2 ||
		flow.BeConn != 1 || flow.SrvConn != 1 || flow.Retries != 0 || flow.SrvQueue != 0 || flow.BackQueue != 0 {
		t.Errorf("%+v", flow)
	}
}
