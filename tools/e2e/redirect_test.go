package e2e

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

func needRedirect(t *testing.T) {
	t.Helper()
	harness.SluiceOnly(t, harness.KernelPrograms)
	harness.NeedRoot(t, "to load programs")
}

// awaitRedirect waits until the kernel moves the bytes of the only flow.
func awaitRedirect(t *testing.T, socket string) {
	t.Helper()
	harness.Eventually(t, "the flow is redirected", func() bool {
		return strings.Contains(operate(t, "unix", socket, "show sess all"), " redirected=true\n")
	})
}

// randomText is the same for the same seed.
func randomText(seed byte, n int) []byte {
	text := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(text)
	return text
}

func digest(text []byte) string { return fmt.Sprintf("%d bytes, %x", len(text), sha256.Sum256(text)) }

// A request, the end of the client's direction, and a long answer only then: each byte arrives, and the log, "show sess" and SIGHUP
// tell of those that the kernel moved, too.
func TestRedirectHalfClose(t *testing.T) {
	needRedirect(t)
	t.Parallel()
	request, answer := randomText(1, 300_000), randomText(2, 5_000_000)
	heard := make(chan string, 1)
	origin := harness.Serve(t, func(s harness.Stream) {
		harness.Exchange(t, s, "hello")
		text, _ := io.ReadAll(s)
		heard <- digest(text)
		s.Write(answer)
	})
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, socket := withSocket(t, raw(logs, "", section("listen front", "bind "+addr, "option sockmap", `log-format "flow %U %B %ts"`, "server origin "+origin.Addr)))
	b := harness.Start(t, text)
	client := harness.DialTCP(t, addr)
	harness.Hear(t, client, "hello")
	harness.Say(t, client, "hello")
	awaitRedirect(t, socket)
	client.Write(request)
	total := fmt.Sprintf("req: total=%d ", 5+len(request))
	harness.Eventually(t, "the listing has the bytes of the request", func() bool {
		return strings.Contains(operate(t, "unix", socket, "show sess all"), total)
	})
	client.CloseWrite()
	got, err := io.ReadAll(client)
	if have, want := digest(got), digest(answer); have != want || err != nil {
		t.Errorf("the client got %s, %v, want %s", have, err, want)
	}
	if have, want := <-heard, digest(request); have != want {
		t.Errorf("the origin got %s, want %s", have, want)
	}
	client.Close()
	if line, want := logs.WaitText(t, "flow "), fmt.Sprintf("flow %d %d --", 5+len(request), 5+len(answer)); line != want {
		t.Errorf("the log has %q, want %q", line, want)
	}
	b.Signal(syscall.SIGHUP)
	line := logs.WaitText(t, " front sockmap: ")
	moved := regexp.MustCompile(`sockmap: 1 connections and (\d+) bytes moved by the kernel, \d+ times back for a slow receiver, 0 connections not taken for want of room, 0 refused`).FindStringSubmatch(line)
	if moved == nil {
		t.Fatalf("SIGHUP: %q", line)
	}
	if n, _ := strconv.Atoi(moved[1]); n == 0 || n > len(request)+len(answer)+10 {
		t.Errorf("the kernel moved %d bytes", n)
	}
}

// A redirected flow that carries bytes is not ended, though the loop hears nothing of them; when it carries none it ends at the time
// of the side whose timeout that is.
func TestRedirectTimeouts(t *testing.T) {
	needRedirect(t)
	const limit, pause, words = 4 * time.Second, 200 * time.Millisecond, 25 // for longer than the limit
	for _, c := range []struct{ timeout, speaker, state string }{
		{"client", "client", "cD"}, {"client", "server", "cD"}, {"server", "client", "sD"}, {"server", "server", "sD"},
	} {
		t.Run(c.timeout+"-while-the-"+c.speaker+"-speaks", func(t *testing.T) {
			t.Parallel()
			last := make(chan time.Time, 1) // just before the last word
			speak := func(s harness.Stream) {
				at := time.Now()
				for range words {
					time.Sleep(pause)
					at = time.Now()
					if _, err := io.WriteString(s, "word"); err != nil {
						t.Errorf("cut while it carries bytes: %v", err)
						break
					}
				}
				last <- at
			}
			begin := make(chan struct{})
			origin := harness.Serve(t, func(s harness.Stream) {
				harness.Exchange(t, s, "hello")
				<-begin
				if c.speaker == "server" {
					speak(s)
				}
				io.Copy(io.Discard, s)
			})
			logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
			text, socket := withSocket(t, raw(logs, "timeout "+c.timeout+" 4s",
				section("listen front", "bind "+addr, "option sockmap", `log-format "flow %U %B %ts"`, "server origin "+origin.Addr)))
			harness.Start(t, text)
			client := harness.DialTCP(t, addr)
			harness.Hear(t, client, "hello")
			harness.Say(t, client, "hello")
			awaitRedirect(t, socket)
			close(begin)
			in, out := 5, 5+4*words
			if c.speaker == "client" {
				speak(client)
				in, out = out, in
			}
			harness.AwaitEnd(t, client)
			took := time.Since(<-last)
			if took < limit-30*time.Millisecond || took > limit+limit/2 { // a timer that looks at each limit only may take twice as long
				t.Errorf("it ended %v after the last word, want %v", took, limit)
			}
			if line, want := logs.WaitText(t, "flow "), fmt.Sprintf("flow %d %d %s", in, out, c.state); line != want {
				t.Errorf("the log has %q, want %q", line, want)
			}
		})
	}
}

// Of a receiver that does not read, the loop takes the direction back; and all arrives when it reads.
func TestRedirectSlowReader(t *testing.T) {
	needRedirect(t)
	t.Parallel()
	answer := randomText(3, 32<<20) // more than all buffers on the way hold
	origin := harness.Serve(t, func(s harness.Stream) {
		harness.Exchange(t, s, "hello")
		harness.Hear(t, s, "more")
		s.Write(answer)
	})
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	text, scraped := withStatistics(t, raw(logs, "", section("listen front", "bind "+addr, "option sockmap", `log-format "flow %U %B %ts"`, "server origin "+origin.Addr)))
	text, socket := withSocket(t, text)
	harness.Start(t, text)
	client := harness.DialTCP(t, addr)
	harness.Hear(t, client, "hello")
	harness.Say(t, client, "hello")
	awaitRedirect(t, socket)
	harness.Say(t, client, "more")
	slow := regexp.MustCompile(`(?m)^sluice_frontend_sockmap_events_total\{proxy="front",reason="redirect_slow"\} [1-9]`)
	harness.Eventually(t, "the metrics tell of a slow receiver", func() bool { return slow.MatchString(get(t, scraped, "/metrics")) })
	got, err := io.ReadAll(client)
	if have, want := digest(got), digest(answer); have != want || err != nil {
		t.Errorf("the client got %s, %v, want %s", have, err, want)
	}
	client.Close()
	if line, want := logs.WaitText(t, "flow "), fmt.Sprintf("flow 9 %d --", 5+len(answer)); line != want {
		t.Errorf("the log has %q, want %q", line, want)
	}
}

// Without the capabilities the flow stays with its loop, and there is one warning.
func TestRedirectWithoutPrivileges(t *testing.T) {
	needRedirect(t)
	addr := harness.Loopback(t)
	logs := harness.ReceiveUDP(t)
	text, socket := withSocket(t, config(logs, "option sockmap", section("listen front", "bind "+addr, "server origin "+harness.Serve(t, harness.Echo).Addr)))
	b := harness.Start(t, text, harness.Options{Wrap: []string{"setpriv", "--bounding-set", "-bpf,-perfmon,-net_admin,-sys_admin"}})
	client := harness.DialTCP(t, addr)
	harness.Exchange(t, client, "hello")
	harness.Exchange(t, client, "again")
	if listed := operate(t, "unix", socket, "show sess all"); !strings.Contains(listed, " redirected=false\n") {
		t.Errorf("it is redirected: %s", listed)
	}
	said := b.Stderr.Text()
	if strings.Count(said, "sockmap") != 1 || !strings.Contains(said, "'option sockmap' has no effect") ||
		!strings.Contains(said, "needs Linux 6.5 or later and CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN") {
		t.Errorf("it said %s", said)
	}
}
