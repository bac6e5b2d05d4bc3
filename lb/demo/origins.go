package demo

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// restTime is how long an origin refuses connections when it was asked to rest.
const restTime = 10 * time.Second

// origins are the servers behind the balancer. Each has a web port and an echo port.
type origins []*origin

// origin is one of them.
type origin struct {
	name    string
	webAddr string // host:port, kept over a rest
	server  *http.Server
	echo    net.Listener

	mu     sync.Mutex
	web    net.Listener // nil while it rests
	closed bool
	timer  *time.Timer
	conns  map[net.Conn]bool // open echo connections
}

// startOrigins starts an origin for each name, on ports that the kernel chooses.
func startOrigins(names ...string) (origins, error) {
	var list origins
	for _, name := range names {
		o, err := startOrigin(name)
		if err != nil {
			list.close()
			return nil, fmt.Errorf("cannot start origin %s: %w", name, err)
		}
		list = append(list, o)
	}
	return list, nil
}

func startOrigin(name string) (*origin, error) {
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		web.Close()
		return nil, err
	}
	o := &origin{name: name, web: web, webAddr: web.Addr().String(), echo: echo, conns: make(map[net.Conn]bool)}
	handler := http.NewServeMux()
	handler.HandleFunc("/", o.answer)
	handler.HandleFunc("/bytes/{count}", o.sendBytes)
	handler.HandleFunc("/rest", o.rest)
	o.server = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go o.server.Serve(web)
	go o.serveEcho()
	return o, nil
}

// variables gives the ports as the configuration wants them: DEMO_WEB_A=PORT, DEMO_ECHO_A=PORT.
func (list origins) variables() []string {
	var variables []string
	for _, o := range list {
		_, web, _ := net.SplitHostPort(o.webAddr)
		_, echo, _ := net.SplitHostPort(o.echo.Addr().String())
		name := strings.ToUpper(o.name)
		variables = append(variables, "DEMO_WEB_"+name+"="+web, "DEMO_ECHO_"+name+"="+echo)
	}
	return variables
}

func (list origins) close() {
	for _, o := range list {
		o.close()
	}
}

func (o *origin) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
	}
	o.server.Close()
	o.echo.Close()
	for conn := range o.conns {
		conn.Close()
	}
}

func (o *origin) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "origin %s answers %s %s\n", o.name, r.Method, r.URL.Path)
}

// sendBytes answers with as many bytes as the path says.
func (o *origin) sendBytes(w http.ResponseWriter, r *http.Request) {
	count, err := strconv.ParseInt(r.PathValue("count"), 10, 64)
	if err != nil || count < 0 {
		http.Error(w, "how many bytes?", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(count, 10))
	chunk := make([]byte, 256<<10)
	for i := range chunk {
		chunk[i] = o.name[0]
	}
	for count > 0 {
		n, err := w.Write(chunk[:min(count, int64(len(chunk)))])
		if err != nil {
			return // the client went away
		}
		count -= int64(n)
	}
}

// rest closes the web port for restTime; connections that are open stay so.
func (o *origin) rest(w http.ResponseWriter, _ *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.web == nil || o.closed {
		fmt.Fprintf(w, "origin %s rests already\n", o.name)
		return
	}
	w.Header().Set("Connection", "close")
	fmt.Fprintf(w, "origin %s refuses connections for %v\n", o.name, restTime)
	o.web.Close()
	o.web = nil
	o.timer = time.AfterFunc(restTime, o.wake)
}

// wake takes the web port again. Should it be taken by now, it tries again later.
func (o *origin) wake() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	web, err := net.Listen("tcp", o.webAddr)
	if err != nil {
		o.timer = time.AfterFunc(time.Second, o.wake)
		return
	}
	o.web = web
	go o.server.Serve(web)
}

func (o *origin) serveEcho() {
	for {
		conn, err := o.echo.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond) // no descriptors: they will come back
			continue
		}
		go o.echoBack(conn)
	}
}

// echoBack returns what it reads until the client's end of file, and then ends its own direction.
func (o *origin) echoBack(conn net.Conn) {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		conn.Close()
		return
	}
	o.conns[conn] = true
	o.mu.Unlock()
	io.Copy(conn, conn) // an error ends the connection, as the end of file does
	conn.Close()
	o.mu.Lock()
	delete(o.conns, conn)
	o.mu.Unlock()
}
