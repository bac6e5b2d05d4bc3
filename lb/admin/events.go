package admin

import (
	"strings"
	"time"
)

// Ring keeps the latest lines of logs.
type Ring struct {
	Name, Description string
	Dropped           func() uint64
	Follow            func(fromEnd bool) RingReader
}

// RingReader reads a ring's lines in order.
type RingReader interface {
	// Read appends lines with their ends, as many as fit within cap(p) but one at least if there is any. lost is how many were
	// overwritten before they were read.
	Read(p []byte) (lines []byte, lost uint64)
	// Changed gives a channel that is closed once there is a line to read.
	Changed() <-chan struct{}
}

func (s *session) showEvents(arguments []string) {
	rings := s.process.Rings()
	if len(arguments) == 0 {
		s.answer.printf("These rings keep log lines. With a name: its lines; -w: then wait for more, up to any input; -n: new ones only.\n")
		for _, r := range rings {
			s.answer.printf("    %-10s : type=buffer, %d dropped, %s\n", r.Name, r.Dropped(), r.Description)
		}
		return
	}
	var ring *Ring
	for i := range rings {
		if rings[i].Name == arguments[0] {
			ring = &rings[i]
		}
	}
	if ring == nil {
		s.answer.fail("No such event sink")
		return
	}
	wait, fresh := false, false
	for _, option := range arguments[1:] {
		letters, found := strings.CutPrefix(option, "-")
		if !found || strings.Trim(letters, "wn") != "" || letters == "" {
			s.answer.fail("unknown option")
			return
		}
		wait = wait || strings.Contains(letters, "w")
		fresh = fresh || strings.Contains(letters, "n")
	}
	reader := ring.Follow(fresh)
	if !wait {
		s.showLines(reader)
		return
	}
	input, stop := s.anyInput()
	defer stop()
	for s.showLines(reader) {
		select {
		case <-reader.Changed():
			continue
		case <-input:
		case <-s.cli.quit:
		}
		return
	}
}

// eventPiece is how many bytes of lines are taken out of a ring at once.
const eventPiece = 16 << 10

// showLines shows all lines that there are now; false: the client is gone.
func (s *session) showLines(reader RingReader) bool {
	buffer := make([]byte, 0, eventPiece)
	for range maxPieces {
		lines, lost := reader.Read(buffer)
		if lost > 0 {
			s.answer.printf("# %d lines were overwritten before they could be shown\n", lost)
		}
		if len(lines) == 0 {
			break
		}
		if _, err := s.answer.Write(lines); err != nil {
			return false
		}
	}
	return s.answer.flush() == nil
}

// maxPieces bounds a listing whose ring is written to as fast as it is read.
const maxPieces = 1 << 16

// anyInput gives a channel that is closed when the client enters something, or ends. stop takes what was entered away.
func (s *session) anyInput() (input <-chan struct{}, stop func()) {
	heard := make(chan struct{})
	s.conn.SetReadDeadline(time.Time{})
	go func() {
		defer close(heard)
		s.reader.lines.Peek(1)
	}()
	return heard, func() {
		s.conn.SetReadDeadline(time.Unix(1, 0)) // ends the Peek
		<-heard
		s.reader.lines.Discard(s.reader.lines.Buffered())
	}
}
