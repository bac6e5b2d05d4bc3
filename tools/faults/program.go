package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// kind is a balancer that can be run.
type kind struct{ name, path string }

// line is one line of a program's log.
type line struct {
	at       time.Time // when it came
	severity int       // syslog's
	text     string
}

// program is a running balancer and its log.
type program struct {
	kind
	cmd *exec.Cmd
	out *bytes.Buffer // what it says on standard error; read it after stop
	log *net.UDPConn

	mu    sync.Mutex // guards lines
	lines []line
}

// receive opens the receiver of a program's log and returns its address.
func receive(k kind) (*program, string, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, "", err
	}
	conn.SetReadBuffer(4 << 20)
	p := &program{kind: k, log: conn}
	go p.read()
	return p, conn.LocalAddr().String(), nil
}

// header is what stands before a line's text in the format of RFC 3164.
var header = regexp.MustCompile(`^<(\d{1,3})>[A-Z][a-z]{2} [ 1-3]\d \d\d:\d\d:\d\d \S+\[\d+\]: (.*)$`)

func (p *program) read() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := p.log.Read(buffer)
		if err != nil {
			return
		}
		l := line{at: time.Now(), severity: -1, text: strings.TrimSpace(string(buffer[:n]))}
		if m := header.FindStringSubmatch(l.text); m != nil {
			priority, _ := strconv.Atoi(m[1])
			l.severity, l.text = priority&7, m[2]
		}
		p.mu.Lock()
		p.lines = append(p.lines, l)
		p.mu.Unlock()
	}
}

// since returns the lines that came after t, in order.
func (p *program) since(t time.Time) []line {
	p.mu.Lock()
	defer p.mu.Unlock()
	var later []line
	for _, l := range p.lines {
		if l.at.After(t) {
			later = append(later, l)
		}
	}
	return later
}

// find returns the first line after t that begins with text.
func (p *program) find(t time.Time, text string) (line, bool) {
	for _, l := range p.since(t) {
		if strings.HasPrefix(l.text, text) {
			return l, true
		}
	}
	return line{}, false
}

// start runs the program with a configuration and returns when it answers at the address.
func (p *program) start(dir, config, address string) error {
	file := filepath.Join(dir, p.name+".cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	p.out = new(bytes.Buffer)
	p.cmd = exec.Command(p.path, "-db", "-f", file)
	p.cmd.Stderr, p.cmd.Stdout = p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", address); err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			err := fmt.Errorf("%s does not listen on %s", p.name, address)
			p.cmd.Process.Kill()
			p.cmd.Wait()
			return fmt.Errorf("%w; it said:\n%s", err, p.out)
		}
	}
}

// stop ends the program and its log, and tells whether the program was still there and well.
func (p *program) stop() error {
	defer p.log.Close()
	if p.cmd == nil || p.cmd.Process == nil || p.cmd.ProcessState != nil {
		return nil
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(10*time.Second, func() { p.cmd.Process.Kill() })
	p.cmd.Wait()
	if !timer.Stop() {
		return fmt.Errorf("%s does not end", p.name)
	}
	for _, word := range []string{"panic:", "fatal error:", "DATA RACE"} {
		if strings.Contains(p.out.String(), word) {
			return fmt.Errorf("%s said:\n%s", p.name, p.out)
		}
	}
	return nil
}

// version is the first line of what the program says about itself.
func (k kind) version() string {
	out, _ := exec.Command(k.path, "-v").Output()
	first, _, _ := strings.Cut(string(out), "\n")
	first, _, _ = strings.Cut(first, " - ")
	return strings.TrimSpace(first)
}
