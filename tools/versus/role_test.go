package main

import (
	"net"
	"testing"
)

// The two roles move exactly the bytes that they say, and notice when some are missing.
func TestBulkRoles(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go serveBulk(listener)
	defer listener.Close()
	for _, up := range []bool{false, true} {
		const streams, bytes = 3, 2<<20 + 17
		moved, err := copyBulk(listener.Addr().String(), up, streams, bytes)
		if err != nil || moved != streams*bytes {
			t.Errorf("up %v: %d bytes, %v", up, moved, err)
		}
	}
}

func TestBulkNoticesMissingBytes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		if _, _, err := readRequest(c); err == nil {
			c.Write(make([]byte, 1000))
		}
		c.Close()
	}()
	if moved, err := copyBulk(listener.Addr().String(), false, 1, 1001); err == nil || moved != 0 {
		t.Errorf("%d bytes, %v", moved, err)
	}
}

func TestRequest(t *testing.T) {
	for _, up := range []bool{false, true} {
		b := appendRequest(up, 1<<40+5)
		client, server := net.Pipe()
		go client.Write(b)
		gotUp, bytes, err := readRequest(server)
		if gotUp != up || bytes != 1<<40+5 || err != nil {
			t.Errorf("%v, %d, %v", gotUp, bytes, err)
		}
		client.Close()
		if _, bytes, err := readRequest(server); bytes != 0 || err != nil {
			t.Errorf("closed at once: %d, %v", bytes, err)
		}
	}
}

func TestPlayRoleRefusesNonsense(t *testing.T) {
	for _, arguments := range [][]string{nil, {"origin"}, {"copy", "127.0.0.1:1", "sideways", "1", "1"}, {"copy", "127.0.0.1:1", "up", "x", "1"}} {
		if err := playRole(arguments); err == nil {
			t.Errorf("%q was taken", arguments)
		}
	}
}
