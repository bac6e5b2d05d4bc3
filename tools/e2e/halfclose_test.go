package e2e

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// The client ends its direction first and still gets the whole answer, which the server only makes then.
func TestClientEndsFirst(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Loopback(t)
	// cat of socat's side ends at the end of input: sort prints only once it has read everything.
	socat(t, "TCP-LISTEN:"+port(origin)+",bind=127.0.0.1,reuseaddr,fork", "EXEC:sort -r")
	harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server socat "+origin)))
	var lines, want strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&lines, "%06d\n", i)
		fmt.Fprintf(&want, "%06d\n", 19999-i)
	}
	out, errs, code := harness.Exec(t, []byte(lines.String()), "socat", "-t30", "-", "TCP:"+addr)
	if code != 0 || out != want.String() {
		t.Errorf("socat ended with %d (%s) and got %d bytes, want %d", code, errs, len(out), want.Len())
	}
	if flow := logs.Flow(t); flow.State != "--" || flow.Bytes != int64(want.Len()) {
		t.Errorf("%+v, want -- with %d bytes", flow, want.Len())
	}
}

// The server ends its direction first and still receives everything that the client says afterwards.
func TestServerEndsFirst(t *testing.T) {
	t.Parallel()
	logs, addr := harness.ReceiveUDP(t), harness.Loopback(t)
	heard := make(chan string, 1)
	origin := harness.Serve(t, func(s harness.Stream) {
		io.WriteString(s, "goodbye")
		s.CloseWrite()
		text, _ := io.ReadAll(s)
		heard <- string(text)
	})
	b := harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server origin "+origin.Addr)))
	client := harness.DialTCP(t, addr)
	text, err := io.ReadAll(client)
	if string(text) != "goodbye" || err != nil {
		t.Fatalf("the client got %q, %v", text, err)
	}
	b.AssertIdle("half closed by the server")
	want := strings.Repeat("and still it says something\n", 40000)
	harness.Say(t, client, want)
	client.Close()
	select {
	case got := <-heard:
		if got != want {
			t.Errorf("the server heard %d bytes, want %d", len(got), len(want))
		}
	case <-time.After(harness.Patience):
		t.Error("the server never heard the end")
	}
	if flow := logs.Flow(t); flow.State != "--" || flow.Bytes != 7 {
		t.Errorf("%+v, want -- with 7 bytes", flow)
	}
}

// The same two with socat on both sides, as a user would try it.
func TestSocatHalfClose(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Loopback(t)
	got := harness.ShortDir(t) + "/got"
	socat(t, "TCP-LISTEN:"+port(origin)+",bind=127.0.0.1,reuseaddr", "SYSTEM:'echo bye; exec 1>&-; cat >"+got+"'")
	b := harness.Start(t, config(logs, "", section("listen front", "bind "+addr, "server socat "+origin)))
	client := harness.DialTCP(t, addr)
	harness.Hear(t, client, "bye\n")
	_ = b
	harness.Say(t, client, "later")
	client.CloseWrite()
	harness.AwaitEnd(t, client)
	harness.Eventually(t, "socat has written what it heard", func() bool {
		data, _ := os.ReadFile(got)
		return string(data) == "later"
	})
}

// A half-closed flow that waits for its other half costs nothing.
func TestHalfClosedIsIdle(t *testing.T) {
	t.Parallel()
	logs, addr, origin := harness.ReceiveUDP(t), harness.Loopback(t), harness.Serve(t, stubborn)
	b := harness.Start(t, config(logs, "timeout server 5s", section("listen front", "bind "+addr, "server origin "+origin.Addr)))
	for range 50 {
		exchangeAndFinish(t, harness.DialTCP(t, addr))
	}
	b.AssertIdle("half closed by 50 clients")
	origin.Close()
}
