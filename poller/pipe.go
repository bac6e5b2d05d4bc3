package poller

import "golang.org/x/sys/unix"

// Pipe carries bytes between two sockets inside the kernel (splice(2)). Pipes are pooled per loop.
type Pipe struct {
	read, write int32
	size        int // bytes it can hold
	held        int // bytes in it
}

// maxIdlePipes bounds a loop's pool; each idle pipe holds two descriptors.
const maxIdlePipes = 64

// Pipe takes an empty pipe. It gives nil when as many as Options.MaxPipes are in use, or the process has no descriptors left
// for one: the caller copies instead.
func (l *Loop) Pipe() *Pipe {
	if n := len(l.pipes); n > 0 {
		p := l.pipes[n-1]
		l.pipes = l.pipes[:n-1]
		l.publishPipes()
		return p
	}
	if most := l.options.MaxPipes; most > 0 && l.openPipes >= most {
		return nil
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC) != nil {
		return nil
	}
	l.openPipes++
	l.publishPipes()
	p := &Pipe{read: int32(fds[0]), write: int32(fds[1]), size: 64 << 10}
	if want := l.options.PipeSize; want > 0 {
		// Refused when it is over pipe-max-size, or this user has too many pages in pipes (pipe(7)): then it stays as it is.
		if n, err := unix.FcntlInt(uintptr(p.write), unix.F_SETPIPE_SZ, want); err == nil {
			p.size = n
		}
	}
	return p
}

// PutPipe gives p back. One that still holds bytes is closed, and they are lost: the caller has given up on them.
func (l *Loop) PutPipe(p *Pipe) {
	if p.held > 0 || len(l.pipes) >= maxIdlePipes {
		l.openPipes--
		p.close()
	} else {
		l.pipes = append(l.pipes, p)
	}
	l.publishPipes()
}

func (l *Loop) publishPipes() {
	l.load.pipes.Store(int64(l.openPipes-len(l.pipes))<<32 | int64(len(l.pipes)))
}

func (p *Pipe) close() {
	closeFD(p.read)
	closeFD(p.write)
}

// Held is the number of bytes in the pipe.
func (p *Pipe) Held() int { return p.held }

// Size is the number of bytes the pipe can hold. Small segments can fill it with less: it counts pages.
func (p *Pipe) Size() int { return p.size }

// Fill moves at most max bytes from s into p. Zero bytes without an error are the end of s. EAGAIN from an empty pipe
// means that s is drained; from one that holds bytes it may be the pipe that is full.
func (p *Pipe) Fill(s *Socket, max int) (int, Errno) {
	n, e := splice(s.fd, p.write, max, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
	if e != 0 {
		return 0, e
	}
	p.held += n
	return n, 0
}

// Drain moves what p holds to s, as far as s takes it. more says that further bytes will follow at once.
func (p *Pipe) Drain(s *Socket, more bool) (int, Errno) {
	flags := unix.SPLICE_F_NONBLOCK | unix.SPLICE_F_MOVE
	if more {
		flags |= unix.SPLICE_F_MORE
	}
	n, e := splice(p.read, s.fd, p.held, flags)
	if e != 0 {
		return 0, e
	}
	p.held -= n
	return n, 0
}
