package main

import (
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"
)

// step is one thing that is done to both sides' servers at the same time.
type step struct {
	what string
	do   func(*side) error
}

// compared is the configuration of the comparison. HOST is the side's own address; A1 and so on are those of its servers.
const compared = `
global
    log LOG local0
    nbthread 2

defaults
    mode tcp
    log global
    option tcplog
    retries 0
    timeout client 10s
    timeout server 10s
    timeout connect 300ms
    timeout check 400ms
    default-server inter 300ms fastinter 100ms downinter 200ms rise 2 fall 3

# Its first checks come at once, and the next ones long after: what happens meanwhile is observed.
listen observed
    bind HOST:8003
    server a A8:9000 check inter 20s fastinter 200ms downinter 300ms observe layer4 error-limit 3 on-error mark-down

# Nobody is there. The second one's first check comes a good while after the first one's.
backend gone
    server a A12:9000 check
    server b A13:9000 check inter 1s backup

backend web
    server a A1:9000 check
    server b A2:9000 check
    server c A3:9000 check backup

backend follow
    server a A1:9000 track web/a
    server b A2:9000 track follow/a

listen agent
    bind HOST:8004
    server a A4:9000 check weight 100 agent-check agent-port 9002 agent-inter 150ms
    server b A5:9000 track agent/a backup

backend light
    server a A5:9000 check agent-check agent-port 9002 agent-inter 150ms

backend notfound
    option httpchk GET /
    http-check disable-on-404
    server a A6:9000 check
    server b A7:9000 check

listen shut
    bind HOST:8005
    server a A9:9000 check port 9001 on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions
    server b A10:9000 check backup

backend said
    option log-health-checks
    option tcp-check
    tcp-check send PING\r\n
    tcp-check expect string PONG
    server a A11:9000 check fastinter 400ms
`

// comparedServers is how many it has. The last two are never opened.
const comparedServers = 13

// of makes a step of what is done to the n-th server.
func of(n int, what string, do func(*server) error) step {
	return step{what, func(s *side) error { return do(s.servers[n-1]) }}
}

func closes(port string) func(*server) error { return func(s *server) error { return s.close(port) } }
func opens(port string) func(*server) error  { return func(s *server) error { return s.open(port) } }
func sends(sig syscall.Signal) func(*server) error {
	return func(s *server) error { return s.signal(sig) }
}

// script is what they go through. The start comes before it.
var script = []step{
	of(1, "web/a refuses", closes(mainPort)),
	of(2, "web/b refuses", closes(mainPort)),
	of(3, "web/c, the backup, refuses", closes(mainPort)),
	of(3, "web/c is back", opens(mainPort)),
	of(2, "web/b is back", opens(mainPort)),
	of(1, "web/a is back", opens(mainPort)),
	of(1, "web/a is killed", (*server).kill),
	of(1, "web/a starts again", (*server).start),
	of(4, "the agent says: drain", order("agent drain")),
	of(4, "the agent says: ready", order("agent ready")),
	of(4, "the agent says: 50%", order("agent 50%")),
	of(4, "the agent says: 0%", order("agent 0%")),
	of(4, "the agent says: 100%", order("agent 100%")),
	of(4, "the agent says: maint", order("agent maint")),
	of(4, "the agent says: ready", order("agent ready")),
	of(4, "the agent says: down # disk full", order("agent down # disk full")),
	of(4, "the agent says: up", order("agent up")),
	of(4, "the agent says: stopped", order("agent stopped")),
	of(4, "the agent says: up ready 75%", order("agent up ready 75%")),
	of(4, "the agent says: fail", order("agent fail")),
	of(4, "the agent says: drain, while it is down", order("agent drain")),
	of(4, "the agent says: ready up", order("agent ready up")),
	of(4, "the agent drains, and its server refuses", func(s *server) error {
		if err := s.order("agent drain"); err != nil {
			return err
		}
		time.Sleep(400 * time.Millisecond) // the agent is asked before the server is checked to its end
		return s.close(mainPort)
	}),
	of(4, "its server is back", opens(mainPort)),
	of(4, "the agent says: ready", order("agent ready")),
	of(5, "the agent of light/a, whose weight is 1, says: 75%", order("agent 75%")),
	of(5, "light/a refuses", closes(mainPort)),
	of(5, "light/a is back", opens(mainPort)),
	of(6, "notfound/a answers 404", order("status 404 Not Found")),
	of(7, "notfound/b answers 404", order("status 404 Not Found")),
	of(6, "notfound/a answers 500", order("status 500 Broken")),
	of(6, "notfound/a answers 404, while it is down", order("status 404 Not Found")),
	of(6, "notfound/a answers 200", order("status 200 OK")),
	of(7, "notfound/b answers 200", order("status 200 OK")),
	{"observed/a refuses, and three clients come", func(s *side) error {
		if err := s.servers[7].close(mainPort); err != nil {
			return err
		}
		for range 3 {
			if err := s.ask(":8003"); err != nil {
				return err
			}
			time.Sleep(50 * time.Millisecond) // the one before is forgotten
		}
		return nil
	}},
	of(8, "observed/a is back", opens(mainPort)),
	{"two clients are held by shut/a, and its checks fail", func(s *side) error {
		for range 2 {
			if err := s.holdClient(":8005"); err != nil {
				return err
			}
		}
		return s.servers[8].close(checkPort)
	}},
	{"a client is held by shut/b, the backup, and the checks of shut/a pass", func(s *side) error {
		if err := s.holdClient(":8005"); err != nil {
			return err
		}
		return s.servers[8].open(checkPort)
	}},
	of(11, "said/a is slow", order("delay 1s")),
	of(11, "said/a is quick again", order("delay 0s")),
	of(11, "said/a is frozen for less than its fall takes", func(s *server) error {
		if err := s.signal(syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(950 * time.Millisecond) // one check fails after 700 ms at the latest, a second one after 1.2 s at the earliest
		return s.signal(syscall.SIGCONT)
	}),
	of(11, "said/a is frozen", sends(syscall.SIGSTOP)),
	of(11, "said/a goes on", sends(syscall.SIGCONT)),
	of(11, "said/a refuses", closes(mainPort)),
	of(11, "said/a is back", opens(mainPort)),
}

// ask makes one request whose fate does not matter.
func (s *side) ask(port string) error {
	conn, err := net.DialTimeout("tcp", s.host+port, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write([]byte("PING\r\n"))
	for b := make([]byte, 64); err == nil; {
		_, err = conn.Read(b)
	}
	return nil
}

// holdClient makes a client that stays until the balancer ends it.
func (s *side) holdClient(port string) error {
	conn, err := net.DialTimeout("tcp", s.host+port, patience)
	if err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(patience))
	conn.Write([]byte("HOLD\r\n"))
	answer := make([]byte, 5)
	if _, err := conn.Read(answer); err != nil || string(answer) != "HELD\n" {
		conn.Close()
		return fmt.Errorf("%s%s does not hold a client: %q %v", s.host, port, answer, err)
	}
	go func() {
		conn.Read(answer)
		conn.Close()
	}()
	return nil
}

// comparedConfig fills the addresses in.
func comparedConfig(s *side, log string) string {
	words := []string{"HOST", s.host, "LOG", log}
	for i := len(s.servers); i > 0; i-- { // A13 before A1
		words = append(words, fmt.Sprintf("A%d:", i), s.servers[i-1].address+":")
	}
	return strings.NewReplacer(words...).Replace(strings.TrimSpace(compared)) + "\n"
}
