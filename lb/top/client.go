package top

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"
)

// patience bounds how long one look may take.
const patience = 10 * time.Second

// Client asks a stats socket. Each call is a connection of its own; several goroutines may call.
type Client struct {
	network, address string
	ours             atomic.Bool // it was sluice that answered last
}

// ask sends commands in one line and gives the answer to each.
func (c *Client) ask(commands ...string) ([]string, error) {
	conn, err := c.send(strings.Join(commands, ";"))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answers, err := readAnswers(conn, len(commands))
	if err != nil {
		return nil, fmt.Errorf("reading an answer: %w", err)
	}
	return answers, nil
}

func (c *Client) send(line string) (net.Conn, error) {
	conn, err := net.DialTimeout(c.network, c.address, patience)
	if err != nil {
		var operation *net.OpError
		if errors.As(err, &operation) {
			err = operation.Err // without the address, which may be padded
		}
		return nil, fmt.Errorf("%s: %w", strings.TrimRight(c.address, "\x00"), err)
	}
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// readAnswers reads so many answers, each of which ends with an empty line. Fewer are an error.
func readAnswers(r io.Reader, count int) ([]string, error) {
	reader := bufio.NewReaderSize(r, 64<<10)
	var answers []string
	var answer strings.Builder
	for len(answers) < count {
		line, err := reader.ReadString('\n')
		if err == io.EOF {
			err = fmt.Errorf("%w after %d of %d answers", io.ErrUnexpectedEOF, len(answers), count)
		}
		if err != nil {
			return nil, err
		}
		if line != "\n" {
			answer.WriteString(line)
			continue
		}
		answers = append(answers, answer.String())
		answer.Reset()
	}
	return answers, nil
}

// Look takes a sample of the process. What only sluice answers is asked for in the same line once it is known to be sluice.
func (c *Client) Look() (*sample, error) {
	commands := []string{"show info", "show stat", "show cli level"}
	own := []string{"show loops", "show queue"}
	ours := c.ours.Load()
	if ours {
		commands = append(commands, own...)
	}
	answers, err := c.ask(commands...)
	if err != nil {
		return nil, err
	}
	s, err := newSample(time.Now(), answers)
	if err != nil {
		return nil, err
	}
	c.ours.Store(s.ours())
	if s.ours() && !ours {
		if answers, err = c.ask(own...); err != nil {
			return nil, err
		}
		s.addOwn(answers)
	}
	return s, nil
}

// Do carries out a command that changes something and gives what was answered; empty: it was done.
func (c *Client) Do(command string) (string, error) {
	answers, err := c.ask(command)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(answers[0]), nil
}

// Flows lists flows of a backend, of one server if that is not empty, at most so many. It stops reading then, so that a listing
// of very many costs little.
func (c *Client) Flows(backend, server string, most int) ([]flow, error) {
	conn, err := c.send("show sess")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var flows []flow
	for lines := bufio.NewScanner(conn); lines.Scan() && len(flows) < most; {
		if lines.Text() == "" {
			break
		}
		f, ok := parseFlow(lines.Text())
		if !ok {
			return nil, fmt.Errorf("%s", strings.TrimSpace(lines.Text()))
		}
		if f.backend == backend && (server == "" || f.server == server) {
			flows = append(flows, f)
		}
	}
	return flows, nil
}
