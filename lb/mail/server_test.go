package mail

import (
	"bufio"
	"fmt"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// received is one message with its envelope.
type received struct {
	hello    string // the line of the greeting
	from, to string
	header   textproto.MIMEHeader
	body     string
}

// server is an SMTP server. A test may answer some commands otherwise: the key is a command, "greeting" or "message"; the
// value "" closes the connection, "silence" never answers.
type server struct {
	address string
	mail    chan received
	answers map[string]string

	mu      sync.Mutex
	open    int
	highest int // connections at once
}

func newServer(t *testing.T, answers map[string]string) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: listener.Addr().String(), mail: make(chan received, 1000), answers: answers}
	done := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.serve(conn, done) })
		}
	})
	t.Cleanup(func() { close(done); listener.Close(); all.Wait() })
	return s
}

func (s *server) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open += n
	s.highest = max(s.highest, s.open)
}

func (s *server) serve(conn net.Conn, done chan struct{}) {
	s.count(1)
	defer s.count(-1)
	defer conn.Close()
	r := textproto.NewReader(bufio.NewReader(conn))
	var m received
	answer := func(to, usual string) bool {
		text, special := s.answers[to]
		if !special {
			text = usual
		}
		if text == "silence" {
			<-done
			return false
		}
		if text == "" {
			return false
		}
		_, err := fmt.Fprintf(conn, "%s\r\n", text)
		return err == nil
	}
	if !answer("greeting", "220 here") {
		return
	}
	for {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		command, _, _ := strings.Cut(line, " ")
		usual := "250 fine"
		switch command {
		case "EHLO", "HELO":
			m = received{hello: line}
		case "MAIL":
			m.from = line
		case "RCPT":
			m.to = line
		case "DATA":
			usual = "354 go ahead"
		case "QUIT":
			usual = "221 bye"
		default:
			usual = "500 what?"
		}
		if !answer(command, usual) {
			return
		}
		if _, special := s.answers["DATA"]; command != "DATA" || special {
			continue
		}
		lines := textproto.NewReader(bufio.NewReader(r.DotReader()))
		if m.header, err = lines.ReadMIMEHeader(); err != nil {
			return
		}
		var body []string
		for {
			line, err := lines.ReadLine()
			if err != nil {
				break
			}
			body = append(body, line)
		}
		m.body = strings.Join(body, "\n")
		if !answer("message", "250 taken") {
			return
		}
		s.mail <- m
	}
}
