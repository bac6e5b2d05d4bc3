package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// period is the length of the random table from which all streams are cut: no round number, so that no loss of whole
// buffers or pages leads back to the same bytes. A loss of exactly one period would be seen by the count.
const period = 1<<20 + 4099

var table = func() []byte {
	b := make([]byte, 2*period)
	rand.NewChaCha8([32]byte{'t', 'o', 'r', 'r', 'e', 'n', 't'}).Read(b[:period])
	copy(b[period:], b[:period])
	return b
}()

// stream is the bytes that one side of a flow says.
type stream struct {
	at    int // in the table
	total int64
}

func newStream(seed uint64) stream { return stream{at: int(seed % period)} }

// next gives the next bytes, n or fewer, which must not be changed.
func (s *stream) next(n int) []byte {
	n = min(n, period)
	b := table[s.at : s.at+n]
	s.at = (s.at + n) % period
	s.total += int64(n)
	return b
}

// check compares what has come with what was said.
func (s *stream) check(got []byte) error {
	for len(got) > 0 {
		before := s.total
		want := s.next(len(got))
		if !bytes.Equal(got[:len(want)], want) {
			at := 0
			for got[at] == want[at] {
				at++
			}
			return fmt.Errorf("byte %d is wrong%s", before+int64(at), place(got[at:], int64(at)+before, s.at))
		}
		got = got[len(want):]
	}
	return nil
}

// place tells from where in the stream wrong bytes come, if they are of the stream at all.
func place(got []byte, at int64, end int) string {
	if len(got) < 16 {
		return ""
	}
	found := bytes.Index(table, got[:16])
	if found < 0 {
		return ": such bytes were never said"
	}
	return fmt.Sprintf(": it is what stands at %d of the table; %d was to come", found, end-len(got))
}
