package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// balancer is the running program.
type balancer struct {
	command *exec.Cmd
	dir     string
	mu      sync.Mutex
	said    bytes.Buffer
}

func (b *balancer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.said.Write(p)
}

func (b *balancer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.said.String()
}

// start builds sluice where that is needed, and starts it in front of the origin.
func start(t *torrent, sluice, proxy string, loops int) (*balancer, error) {
	dir, err := os.MkdirTemp("", "torrent")
	if err != nil {
		return nil, err
	}
	b := &balancer{dir: dir}
	if sluice == "" {
		sluice = filepath.Join(dir, "sluice")
		build := exec.Command("go", "build", "-o", sluice, "github.com/sluice-lb/sluice")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return nil, fmt.Errorf("building sluice: %w", err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t.front = l.Addr().String()
	l.Close()
	file := filepath.Join(dir, "sluice.cfg")
	text := fmt.Sprintf("global\n nbthread %d\n maxconn 4096\n\nlisten torrent\n bind %s\n %s\n timeout connect 5s\n timeout client 120s\n timeout server 120s\n server origin %s\n",
		loops, t.front, proxy, t.origin)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	b.command = exec.Command(sluice, "-db", "-f", file)
	b.command.Stdout, b.command.Stderr = b, b
	if err := b.command.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		if c, err := net.Dial("tcp", t.front); err == nil {
			c.Close()
			break
		}
		if time.Now().After(deadline) {
			b.end()
			return nil, fmt.Errorf("the balancer does not listen:\n%s", b.text())
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Print(b.text())
	return b, nil
}

// status is what the balancer tells of itself.
func (b *balancer) status() []string {
	time.Sleep(300 * time.Millisecond) // until the last flows have ended there too
	b.command.Process.Signal(syscall.SIGHUP)
	time.Sleep(300 * time.Millisecond)
	var lines []string
	for line := range strings.Lines(b.text()) {
		if strings.Contains(line, "SIGHUP: ") || strings.Contains(line, "needs Linux") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func (b *balancer) end() {
	b.command.Process.Signal(syscall.SIGTERM)
	b.command.Wait()
	os.RemoveAll(b.dir)
}
