package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A child is pinned, and ends with the context or when it is stopped.
func TestLauncher(t *testing.T) {
	l := newLauncher()
	var output strings.Builder
	c := exec.Command("sh", "-c", "grep Cpus_allowed_list /proc/self/status")
	c.Stdout = &output
	if err := l.start(0, c); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil || strings.TrimSpace(strings.TrimPrefix(output.String(), "Cpus_allowed_list:")) != "0" {
		t.Errorf("%q, %v", output.String(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, err := l.serve(ctx, "a", 0, "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.serve(ctx, "b", 0, "sleep", "60")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.alive(); err != nil {
		t.Error(err)
	}
	a.stop()
	if a.alive() == nil {
		t.Error("a lives after it was stopped")
	}
	cancel()
	select {
	case <-b.ended:
	case <-time.After(10 * time.Second):
		t.Error("b lives after its context has ended")
	}
	if err := l.start(0, exec.Command("/nowhere/nothing")); err == nil {
		t.Error("a program that is not there was started")
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var tail tail
	for range 1000 {
		tail.Write([]byte("0123456789"))
	}
	tail.Write([]byte("end"))
	if s := tail.String(); len(s) != tailSize || !strings.HasSuffix(s, "789end") {
		t.Errorf("%d bytes, …%q", len(s), s[max(0, len(s)-8):])
	}
}

func TestReadUsageOfThisProcess(t *testing.T) {
	u, err := readUsage(os.Getpid())
	if err != nil || u.ran <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if _, err := readUsage(1 << 30); err == nil {
		t.Error("a process that is not there has used time")
	}
	if u := (usage{user: 1, system: 3}); u.kernelShare() != 0.75 {
		t.Errorf("kernel share %v", u.kernelShare())
	}
}

func TestChoose(t *testing.T) {
	all, err := choose("")
	if err != nil || len(all) != len(scenarios) {
		t.Errorf("%d, %v", len(all), err)
	}
	some, err := choose("bulk8,keepalive")
	if err != nil || len(some) != 3 || some[0].group != "keepalive" || some[1].group != "bulk8" {
		t.Errorf("%d, %v", len(some), err)
	}
	if _, err := choose("keepalife"); err == nil {
		t.Error("an unknown name was taken")
	}
}
