//go:build linux

// Command netpoll is a TCP balancer written the obvious way on github.com/cloudwego/netpoll, as its documentation suggests for a
// proxy: a connection to a server is made when a client's comes, what one of the two sends is written to the other, and
// when one of them ends so does the other. It is there to be measured: what does a good library give without further thought?
//
//	netpoll -listen 127.0.0.1:8000 -servers 127.0.0.1:9000,127.0.0.1:9001 [-loops 1]
//
// It does not carry a half-closed connection on, since the library does not tell of one, and its memory is not bounded when a
// client reads slowly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloudwego/netpoll"
)

func main() {
	listen := flag.String("listen", "", "`address` to listen on")
	servers := flag.String("servers", "", "`list` of addresses, used in turn")
	loops := flag.Int("loops", 1, "pollers, and cores used")
	spin := flag.Duration("spin", 0, "be slow on purpose: burn so much CPU whenever data came")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	b := &balancer{servers: strings.Split(*servers, ","), spin: *spin}
	if err := b.run(ctx, *listen, *loops); err != nil {
		fmt.Fprintln(os.Stderr, "netpoll:", err)
		os.Exit(1)
	}
}

type balancer struct {
	servers []string
	next    atomic.Uint64
	spin    time.Duration
}

// run serves until ctx ends.
func (b *balancer) run(ctx context.Context, listen string, loops int) error {
	if listen == "" || b.servers[0] == "" || loops < 1 {
		return errors.New("-listen and -servers are needed, and at least one loop")
	}
	runtime.GOMAXPROCS(loops)
	if err := netpoll.Configure(netpoll.Config{PollerNum: loops}); err != nil {
		return err
	}
	listener, err := netpoll.CreateListener("tcp", listen)
	if err != nil {
		return err
	}
	loop, err := netpoll.NewEventLoop(b.forward, netpoll.WithOnConnect(b.connect))
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		patience, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		loop.Shutdown(patience)
	}()
	if err := loop.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// peer is the key of a connection's other one in its context.
type peer struct{}

// connect makes a server connection for a client's. It runs on a goroutine of the library's pool, so it may block.
func (b *balancer) connect(ctx context.Context, client netpoll.Connection) context.Context {
	address := b.servers[(b.next.Add(1)-1)%uint64(len(b.servers))]
	server, err := netpoll.DialConnection("tcp", address, 5*time.Second)
	if err != nil {
		client.Close()
		return ctx
	}
	client.AddCloseCallback(func(netpoll.Connection) error { return server.Close() })
	server.AddCloseCallback(func(netpoll.Connection) error { return client.Close() })
	server.SetOnRequest(func(_ context.Context, from netpoll.Connection) error { return b.copy(from, client) })
	if !server.IsActive() { // it ended before its callback was there
		client.Close()
	}
	return context.WithValue(ctx, peer{}, server)
}

// forward is called when a client has sent something.
func (b *balancer) forward(ctx context.Context, client netpoll.Connection) error {
	server, _ := ctx.Value(peer{}).(netpoll.Connection)
	if server == nil {
		return client.Close()
	}
	return b.copy(client, server)
}

// copy writes what has come from one connection to another, and waits until that has taken it.
func (b *balancer) copy(from, to netpoll.Connection) error {
	for start := time.Now(); b.spin > 0 && time.Since(start) < b.spin; {
	}
	reader, writer := from.Reader(), to.Writer()
	data, err := reader.Next(reader.Len())
	if err == nil {
		_, err = writer.WriteBinary(data)
	}
	if err == nil {
		err = writer.Flush()
	}
	reader.Release()
	if err != nil {
		from.Close()
	}
	return err
}
