package mail

import (
	"context"
	"fmt"
	"net"
	"net/smtp"
	"time"
)

// deliver has one conversation. The error says in which step of it what went wrong.
func (s *Sender) deliver(to *Mailer, m message) error {
	ctx, cancel := context.WithTimeout(s.cut, s.o.Timeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, to.Network, to.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	// The deadline of the context, and its end by Stop, cut short whatever reads or writes.
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	if err = s.talk(conn, m); err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
	}
	return err
}

// talk is the conversation on a connection.
func (s *Sender) talk(conn net.Conn, m message) error {
	c, err := smtp.NewClient(conn, "")
	if err != nil {
		return fmt.Errorf("at the greeting: %w", err)
	}
	if err := c.Hello(s.o.Hostname); err != nil {
		return fmt.Errorf("at HELO: %w", err)
	}
	if err := c.Mail(s.o.From); err != nil {
		return fmt.Errorf("at MAIL FROM: %w", err)
	}
	if err := c.Rcpt(s.o.To); err != nil {
		return fmt.Errorf("at RCPT TO: %w", err)
	}
	w, err := c.Data()
	if err != nil {
		return fmt.Errorf("at DATA: %w", err)
	}
	if _, err := w.Write(m.format(&s.o)); err != nil {
		return fmt.Errorf("in the message: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("after the message: %w", err)
	}
	c.Quit() // the mailer has taken the message: how it says goodbye does not matter
	return nil
}
