package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// originMark is in the environment of an origin's process; it holds its name.
const originMark = "FAULTS_ORIGIN"

// child does an origin's work if this process is one, until its parent closes its standard input.
func child() bool {
	name := os.Getenv(originMark)
	if name == "" {
		return false
	}
	o := &origin{name: name, status: "200 OK", listeners: map[string]net.Listener{}}
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		if err := o.obey(orders.Text()); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("done")
		}
	}
	return true
}

// origin is the child's side. It gets its orders line by line and answers each with one line.
type origin struct {
	name      string
	listeners map[string]net.Listener // by address; only the reader of orders touches it

	mu     sync.Mutex // guards what follows
	delay  time.Duration
	status string // of HTTP
	agent  string // what the agent says
}

// obey does one order:
//
//	open ADDRESS   listen there; one that ends in :9002 is the agent's
//	close ADDRESS  no longer: who connects is refused
//	delay TIME     answer so much later
//	status TEXT    answer HTTP with that
//	agent TEXT     let the agent say that
func (o *origin) obey(order string) error {
	what, with, _ := strings.Cut(order, " ")
	o.mu.Lock()
	defer o.mu.Unlock()
	switch what {
	case "open":
		l, err := net.Listen("tcp", with)
		if err != nil {
			return err
		}
		o.listeners[with] = l
		go o.accept(l, strings.HasSuffix(with, agentPort))
	case "close":
		l := o.listeners[with]
		if l == nil {
			return fmt.Errorf("%s is not open", with)
		}
		delete(o.listeners, with)
		return l.Close()
	case "delay":
		d, err := time.ParseDuration(with)
		if err != nil {
			return err
		}
		o.delay = d
	case "status":
		o.status = with
	case "agent":
		o.agent = with
	default:
		return fmt.Errorf("unknown order %q", order)
	}
	return nil
}

func (o *origin) accept(l net.Listener, agent bool) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(time.Minute))
			if agent {
				o.mu.Lock()
				defer o.mu.Unlock()
				io.WriteString(conn, o.agent+"\n")
				return
			}
			o.answer(conn)
		}()
	}
}

// answer serves one request: a line, HTTP, or HOLD, which is held until the client ends it.
func (o *origin) answer(conn net.Conn) {
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil {
		return
	}
	if strings.HasPrefix(line, "HOLD") {
		io.WriteString(conn, "HELD\n")
		io.Copy(io.Discard, in)
		return
	}
	http := strings.Contains(line, " HTTP/1.")
	for http && line != "\r\n" {
		if line, err = in.ReadString('\n'); err != nil {
			return
		}
	}
	o.mu.Lock()
	delay, status := o.delay, o.status
	o.mu.Unlock()
	time.Sleep(delay) // the fault itself
	if http {
		fmt.Fprintf(conn, "HTTP/1.0 %s\r\nContent-Length: 0\r\n\r\n", status)
		return
	}
	fmt.Fprintf(conn, "PONG %s\n", o.name)
}
