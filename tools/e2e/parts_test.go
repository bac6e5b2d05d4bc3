package e2e

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/sluice-lb/sluice/tools/e2e/harness"
)

// What clients do before they stand still.

func silent(*testing.T, harness.Stream) {}

func exchange(t *testing.T, s harness.Stream) { harness.Exchange(t, s, "hello") }

func exchangeAndFinish(t *testing.T, s harness.Stream) {
	harness.Exchange(t, s, "hello")
	if err := s.CloseWrite(); err != nil {
		t.Error(err)
	}
}

// fill writes until nothing more is taken.
func fill(t *testing.T, s harness.Stream) {
	block := make([]byte, 64<<10)
	for {
		s.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := s.Write(block); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return
		}
	}
}

// What origins do.

// stubborn echoes but does not end when the client does. The test's end closes the connection.
func stubborn(s harness.Stream) {
	io.Copy(struct{ io.Writer }{s}, s)
	select {}
}

// deaf neither reads nor writes.
func deaf(harness.Stream) { select {} }

// early ends its own direction after the first word and then waits for the client.
func early(s harness.Stream) {
	word := make([]byte, 5)
	io.ReadFull(s, word)
	s.Write(word)
	s.CloseWrite()
	io.Copy(io.Discard, s)
}

// flood writes for ever.
func flood(s harness.Stream) {
	for block := make([]byte, 64<<10); ; {
		if _, err := s.Write(block); err != nil {
			return
		}
	}
}
