package resolve

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	// maxSockets bounds the open datagram sockets to one name server. The oldest gives way.
	maxSockets = 64
	// perSocket is how many questions leave from one port, and perPort for how long, so that a busy section need not open
	// a socket for each, while one that asks little asks from a new port each time.
	perSocket = 64
	perPort   = 50 * time.Millisecond
	// linger is how long a socket stays after its last question beyond "timeout retry", so that a late answer finds it.
	linger = time.Second
)

// datagrams sends to one name server over UDP. It belongs to the loop's goroutine; each socket has a reader besides.
type datagrams struct {
	loop   *loop
	server *nameServer
	addr   netip.AddrPort
	size   int // accepted_payload_size
	open   []*port
}

// port is one connected socket: the kernel drops what comes from another address, and chose its number at random.
type port struct {
	conn   *net.UDPConn
	opened time.Time
	last   time.Time // when a question left last
	sent   int
}

func (d *datagrams) send(query []byte, now time.Time) (way, error) {
	p, err := d.port(now)
	if err != nil {
		return nil, err
	}
	p.sent++
	p.last = now
	_, err = p.conn.Write(query)
	if errors.Is(err, syscall.ECONNREFUSED) {
		_, err = p.conn.Write(query) // that was the fate of an earlier one: udp(7)
	}
	return p, err
}

// port is the newest socket while it may be used, or a new one.
func (d *datagrams) port(now time.Time) (*port, error) {
	if n := len(d.open); n > 0 {
		if p := d.open[n-1]; p.sent < perSocket && now.Before(p.opened.Add(perPort)) {
			return p, nil
		}
		if n == maxSockets {
			d.open[0].conn.Close()
			d.open = append(d.open[:0], d.open[1:]...)
		}
	}
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(d.addr))
	if err != nil {
		return nil, err
	}
	p := &port{conn: conn, opened: now}
	d.open = append(d.open, p)
	d.loop.all.Go(func() { d.read(p) })
	return p, nil
}

func (d *datagrams) read(p *port) {
	buffer := make([]byte, max(d.size, 512)+1)
	for {
		n, err := p.conn.Read(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		e := event{server: d.server, via: p}
		if err == nil {
			e.raw = append([]byte{}, buffer[:n]...)
			e.big = n == len(buffer)
		} else if !errors.Is(err, syscall.ECONNREFUSED) {
			time.Sleep(10 * time.Millisecond) // lack of memory, a route that is gone: no reason to spin
		}
		if !d.loop.report(e) {
			return
		}
	}
}

// sweep closes the sockets that nothing is expected on any more.
func (d *datagrams) sweep(now time.Time) {
	keep := d.open[:0]
	for _, p := range d.open {
		if now.Before(p.last.Add(d.loop.section.config.TimeoutRetry + linger)) {
			keep = append(keep, p)
		} else {
			p.conn.Close()
		}
	}
	clear(d.open[len(keep):])
	d.open = keep
}

func (d *datagrams) closeAll() {
	for _, p := range d.open {
		p.conn.Close()
	}
	d.open = nil
}
