package admin

import (
	"errors"
	"io"
	"net"
	"time"
)

// session is one connection. Its goroutine owns it.
type session struct {
	cli     *CLI
	process Process
	conn    net.Conn
	level   Level
	output  Output
	timeout time.Duration

	prompt  bool // interactive
	timed   bool // the prompt tells how long the process has been running
	quit    bool
	answer  *answer
	reader  *reader
	payload string // of the command that runs
}

// serve reads and answers until the client is through. Without a prompt that is after the first line, or after the last one of
// those that came with it. A client that has shut its side down still gets all that it asked for.
func (s *session) serve() {
	r := newReader(s.conn)
	s.reader = r
	s.answer = newAnswer(patient{s.conn, func() time.Duration { return s.timeout }}, s.output)
	r.more = func() {
		s.conn.SetReadDeadline(time.Now().Add(s.timeout))
		if s.prompt && !r.buffered() {
			s.raw("+ ")
		}
	}
	for !s.quit {
		s.conn.SetReadDeadline(time.Now().Add(s.timeout))
		commands, err := r.next()
		if err != nil {
			s.refuse(err)
			return
		}
		if len(commands) == 0 && !s.prompt {
			commands = []entered{{}}
		}
		for _, c := range commands {
			s.run(c)
			if s.answer.err != nil || s.quit {
				return
			}
			if s.prompt {
				s.showPrompt()
			}
		}
		if len(commands) == 0 {
			s.showPrompt()
		}
		if !s.prompt && !r.buffered() {
			return
		}
	}
}

// refuse tells what was wrong with a line. The end of the connection, or of patience, is no fault.
func (s *session) refuse(err error) {
	var timeout net.Error
	if errors.Is(err, io.EOF) || errors.As(err, &timeout) || errors.Is(err, net.ErrClosed) {
		return
	}
	if errors.Is(err, errLineTooLong) || errors.Is(err, errPayloadTooLong) || errors.Is(err, errTooManyWords) {
		s.answer.fail("%v", err)
		s.answer.end()
		// Closing with unread bytes would reset the connection, and the client might not see why.
		s.conn.SetReadDeadline(time.Now().Add(min(s.timeout, drainTime)))
		io.CopyN(io.Discard, s.conn, mostDrained)
	}
}

// Bounds of what is read of a client whose line could not be.
const (
	drainTime   = time.Second
	mostDrained = 16 << 20
)

// raw writes something that is no answer.
func (s *session) raw(text string) {
	if s.answer.err == nil {
		_, s.answer.err = s.answer.out.WriteString(text)
	}
	s.answer.flush()
}

func (s *session) showPrompt() {
	if !s.timed {
		s.raw("> ")
		return
	}
	up := s.process.Info().Uptime
	s.raw("[" + clock(up) + "]> ")
}

// run answers one command.
func (s *session) run(e entered) {
	s.answer.output = s.output
	s.payload = e.payload
	s.dispatch(e.words)
	if !s.quit {
		s.answer.end()
	}
}

// dispatch finds the command and lets it run.
func (s *session) dispatch(words []string) {
	c, arguments := find(words)
	switch {
	case c == nil:
		s.unknown(words)
	case s.level < c.level:
		s.answer.fail("Permission denied")
	default:
		c.run(s, arguments)
	}
}
