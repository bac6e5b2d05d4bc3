package harness

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// Dial connects, with a deadline far off for everything that follows.
func Dial(t testing.TB, network, address string) Stream {
	t.Helper()
	conn, err := net.DialTimeout(network, address, Patience)
	return dialled(t, conn, err)
}

func dialled(t testing.TB, conn net.Conn, err error) Stream {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	t.Cleanup(func() { conn.Close() })
	return conn.(Stream)
}

// DialTCP is Dial for TCP.
func DialTCP(t testing.TB, address string) Stream {
	t.Helper()
	return Dial(t, "tcp", address)
}

// Say writes text and fails the test if it cannot.
func Say(t testing.TB, s Stream, text string) {
	t.Helper()
	if _, err := io.WriteString(s, text); err != nil {
		t.Fatalf("writing %q: %v", text, err)
	}
}

// Hear reads exactly the text.
func Hear(t testing.TB, s Stream, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(s, got); err != nil || string(got) != text {
		t.Fatalf("read %q (%v), want %q", got[:n], err, text)
	}
}

// Exchange says text to an echo and hears it again: from here on the flow is established from end to end.
func Exchange(t testing.TB, s Stream, text string) {
	t.Helper()
	Say(t, s, text)
	Hear(t, s, text)
}

// AwaitEnd reads until the other side ends the connection and tells how long that took and whether it was a reset.
func AwaitEnd(t testing.TB, s Stream) (took time.Duration, reset bool) {
	t.Helper()
	start := time.Now()
	_, err := io.Copy(io.Discard, s)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("waiting for the end: %v", err)
	}
	return time.Since(start), err != nil
}

// Ask connects, reads to the end and returns what came: what Name answers.
func Ask(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, Patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(Patience))
	text, err := io.ReadAll(conn)
	return string(text), err
}
