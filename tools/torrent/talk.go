package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"time"
)

// The plan of a flow follows from its number: both sides make it, each for itself, from the number that the client says first.
//
//	rounds   the client says something, and the origin answers when it has all of it, or before
//	flood    both speak at once, without waiting for each other
//	end      one side ends first: it says the last of its bytes and half-closes, and then the other one does
type plan struct {
	rounds      []round
	flood       [2]int64 // bytes of client and origin
	originFirst bool     // ends first
	seeds       [2]uint64
	random      [2]uint64 // for the chunks and stalls of each side
}

type round struct {
	say    [2]int64
	early  bool          // the origin answers without waiting
	before time.Duration // the client waits
}

func (t *torrent) plan(number uint64) plan {
	r := rand.New(rand.NewPCG(t.seed, number))
	p := plan{originFirst: r.IntN(2) == 0, seeds: [2]uint64{r.Uint64(), r.Uint64()}, random: [2]uint64{r.Uint64(), r.Uint64()}}
	for range r.IntN(40) {
		one := round{say: [2]int64{t.amount(r), t.amount(r)}, early: r.IntN(4) == 0}
		if r.IntN(8) == 0 {
			one.before = time.Duration(r.Int64N(int64(t.stall) + 1))
		}
		p.rounds = append(p.rounds, one)
	}
	for i := range p.flood {
		if r.IntN(3) > 0 {
			p.flood[i] = t.amount(r)
		}
	}
	return p
}

// amount is as often of one order of magnitude as of another.
func (t *torrent) amount(r *rand.Rand) int64 {
	return int64(math.Exp(r.Float64() * math.Log(float64(t.largest))))
}

// talker is one side of a flow.
type talker struct {
	t       *torrent
	conn    *net.TCPConn
	mine    int // 0: client, 1: origin
	out, in stream
	say     *rand.Rand // one for each direction: they run at the same time
	hear    *rand.Rand
	slow    bool // stalls while it reads
	buffer  []byte
}

func (t *torrent) talker(conn *net.TCPConn, p plan, mine int) *talker {
	k := &talker{t: t, conn: conn, mine: mine, out: newStream(p.seeds[mine]), in: newStream(p.seeds[1-mine]),
		say: rand.New(rand.NewPCG(p.random[mine], 1)), hear: rand.New(rand.NewPCG(p.random[mine], 2)), buffer: make([]byte, 256<<10)}
	k.slow = k.hear.IntN(4) == 0
	if k.hear.IntN(4) == 0 {
		conn.SetReadBuffer(256 << 10) // less than a segment of loopback would make each one wait for a timer
	}
	return k
}

// idle bounds how long a flow may stand still.
const idle = 60 * time.Second

// chunks bounds in how many a message is said, about: a run is to check bytes, not to count system calls.
const chunks = 200

// stalls bounds how often a reader stalls during one message.
const stalls = 4

// send says n bytes in chunks of any size.
func (k *talker) send(n int64) error {
	most := max(int64(1)<<(1+k.say.IntN(19)), n/chunks)
	for n > 0 {
		b := k.out.next(int(min(n, 1+k.say.Int64N(most))))
		k.conn.SetWriteDeadline(time.Now().Add(idle))
		if _, err := k.conn.Write(b); err != nil {
			return fmt.Errorf("after %d bytes: %w", k.out.total, err)
		}
		n -= int64(len(b))
		if k.say.IntN(200) == 0 {
			time.Sleep(time.Duration(k.say.Int64N(int64(time.Millisecond))))
		}
	}
	return nil
}

// receive hears n bytes, in reads of any size, and checks them.
func (k *talker) receive(n int64) error {
	left := stalls
	for n > 0 {
		most := min(n, 1+k.hear.Int64N(int64(len(k.buffer))))
		k.conn.SetReadDeadline(time.Now().Add(idle))
		got, err := k.conn.Read(k.buffer[:most])
		if e := k.in.check(k.buffer[:got]); e != nil {
			return e
		}
		k.t.checked.Add(int64(got))
		n -= int64(got)
		if err != nil {
			return fmt.Errorf("after %d bytes, %d before the end: %w", k.in.total, n, err)
		}
		if k.slow && left > 0 && k.hear.IntN(10) == 0 {
			left--
			time.Sleep(time.Duration(k.hear.Int64N(int64(k.t.stall) + 1)))
		}
	}
	return nil
}

// both sends and receives at the same time.
func (k *talker) both(out, in int64) error {
	sent := make(chan error, 1)
	go func() { sent <- k.send(out) }()
	return errors.Join(k.receive(in), <-sent)
}

// end hears that the other side has ended, after exactly what it had to say.
func (k *talker) end() error {
	k.conn.SetReadDeadline(time.Now().Add(idle))
	n, err := k.conn.Read(k.buffer)
	if n > 0 {
		return fmt.Errorf("%d bytes more than were said", n)
	}
	if err != io.EOF {
		return fmt.Errorf("instead of the end: %w", err)
	}
	return nil
}

// talk follows the plan.
func (k *talker) talk(p plan) error {
	for _, r := range p.rounds {
		out, in := r.say[k.mine], r.say[1-k.mine]
		var err error
		switch {
		case r.early:
			err = k.both(out, in)
		case k.mine == 0:
			time.Sleep(r.before)
			if err = k.send(out); err == nil {
				err = k.receive(in)
			}
		default:
			if err = k.receive(in); err == nil {
				err = k.send(out)
			}
		}
		if err != nil {
			return err
		}
	}
	out, in := p.flood[k.mine], p.flood[1-k.mine]
	first := p.originFirst == (k.mine == 1)
	if first { // half-close behind the last byte, while the other one still speaks
		sent := make(chan error, 1)
		go func() {
			err := k.send(out)
			if err == nil {
				err = k.conn.CloseWrite()
			}
			sent <- err
		}()
		if err := errors.Join(k.receive(in), <-sent); err != nil {
			return err
		}
		return k.end()
	}
	// The other side has ended, and still hears.
	heard := make(chan error, 1)
	go func() {
		err := k.receive(in)
		if err == nil {
			err = k.end()
		}
		heard <- err
	}()
	err := k.send(out)
	if err = errors.Join(err, <-heard); err != nil {
		return err
	}
	return k.conn.CloseWrite()
}

// flow is the client's side of one.
func (t *torrent) flow(number uint64) {
	conn, err := net.DialTimeout("tcp", t.front, idle)
	if err != nil {
		t.fault(number, "client", err)
		return
	}
	defer conn.Close()
	var head [8]byte
	binary.BigEndian.PutUint64(head[:], number)
	p := t.plan(number)
	k := t.talker(conn.(*net.TCPConn), p, 0)
	if _, err = conn.Write(head[:]); err == nil {
		err = k.talk(p)
	}
	if err != nil {
		t.fault(number, "client", err)
		return
	}
	t.ended.Add(1)
}

// listen starts the origin, which serves each connection by itself.
func (t *torrent) listen(serve func(*net.TCPConn)) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	t.origin = l.Addr().String()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn.(*net.TCPConn))
		}
	}()
	return nil
}

func (t *torrent) serve(conn *net.TCPConn) {
	defer conn.Close()
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return // the balancer was ended, or only looks whether somebody is here
	}
	number := binary.BigEndian.Uint64(head[:])
	p := t.plan(number)
	if err := t.talker(conn, p, 1).talk(p); err != nil {
		t.fault(number, "origin", err)
	}
}
