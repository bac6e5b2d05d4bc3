package check

import (
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/lb/backend"
	"github.com/sluice-lb/sluice/lb/config"
	"github.com/sluice-lb/sluice/poller"
)

// exchange is one run of a script against a server. It belongs to the goroutine of its check.
type exchange struct {
	server *Server
	script *script
	target *Target

	conn      poller.Conn
	connected bool // the connection stands, if only to a SOCKS4 proxy
	linger    bool // it ends with a FIN
	began     time.Time
	deadline  time.Time

	response []byte // since the last send
	ended    bool   // the server sends no more
	full     bool   // response has all that is looked at
	noBody   bool   // the last request was a HEAD
	answer   []byte // the body of an HTTP response, for formats; nil: response is what they see

	options poller.ConnectOptions // of a connect that differs from the target's
	okText  string                // for a check that ends well, from the answer; empty: the script's

	variables map[string]string
	values    config.CheckValues
	result    backend.CheckResult
}

// exchanges keeps what has ended, for its buffer.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

func newExchange(s *Server, sc *script, t *Target, yield func()) *exchange {
	x := exchanges.Get().(*exchange)
	x.server, x.script, x.target = s, sc, t
	x.conn.OnWait, x.conn.In = yield, t.In
	x.began = time.Now()
	return x
}

// leave closes the connection and gives the exchange back. Nobody may hold it any more.
func (x *exchange) leave() {
	x.close()
	x.conn.Reset()
	x.conn.OnWait, x.conn.In = nil, nil
	clear(x.variables)
	response := x.response[:0]
	x.server, x.script, x.target = nil, nil, nil
	x.response, x.answer, x.ended, x.full, x.linger, x.noBody = response, nil, false, false, false, false
	x.okText = ""
	x.values, x.result, x.deadline = config.CheckValues{}, backend.CheckResult{}, time.Time{}
	exchanges.Put(x)
}

// Interrupt ends what the exchange waits for. Any goroutine may call it while the exchange runs.
func (x *exchange) Interrupt() { x.conn.Interrupt() }

// longestText is how much of a text is told, in bytes, as HAProxy does: a server must not fill logs with what it answers.
const longestText = 127

// run goes through the steps until one decides or all are done. The outcome is in x.result.
func (x *exchange) run() {
	x.steps()
	x.result.Text = x.result.Text[:min(len(x.result.Text), longestText)]
}

func (x *exchange) steps() {
	for i := range x.script.steps {
		step := &x.script.steps[i]
		if !step.do(x, step, i == len(x.script.steps)-1) {
			return
		}
	}
	if x.result.Status == backend.CheckUnknown {
		x.succeed()
	}
}

// succeed decides that all went well.
func (x *exchange) succeed() {
	x.result.Status, x.result.Text = x.script.okStatus, x.script.okText
	if x.okText != "" {
		x.result.Text = x.okText
	}
}

// fail decides the check.
func (x *exchange) fail(status backend.CheckStatus, text string) bool {
	x.result.Status, x.result.Text = status, text
	return false
}

// close ends the connection, with a reset unless it is to linger or the server has ended it already: the server need not
// keep what was only a check, and no port stays in TIME_WAIT here.
func (x *exchange) close() {
	if !x.conn.Open() {
		return
	}
	if !x.linger && !x.ended {
		x.conn.Abort()
	}
	x.connected = false
	x.conn.Close()
}

// Bounds of part.
const (
	partingBytes = 64 << 10
	partingTime  = time.Second
	partingShare = 10 // of the interval, at most one part
)

// part takes leave of a server that closes after its answer, as most of HTTP do: what is left of the answer is read until the
// end comes, so that the server, which may be writing still, sees no reset, and the TIME_WAIT is not ours. The check is decided and told by
// then. A server that has not begun to answer, takes longer, or has more to say than is worth it, gets the reset.
func (x *exchange) part(interval func() time.Duration) {
	if x.script.parts && x.connected && !x.linger && len(x.response) > 0 && time.Now().Before(x.deadline) {
		x.hearOut(min(partingTime, interval()/partingShare))
	}
	x.close()
}

func (x *exchange) hearOut(limit time.Duration) {
	x.conn.SetDeadline(time.Now().Add(limit))
	for read := 0; !x.ended && read < partingBytes; {
		n, err := x.conn.Read(x.response[:cap(x.response)])
		if read += n; err == io.EOF {
			x.ended = true
		} else if err != nil {
			return
		}
	}
}

// more waits for more of the response. The end of it is no error.
func (x *exchange) more() error {
	if !x.conn.Open() {
		x.ended = true
		return nil
	}
	if time.Now().After(x.deadline) { // a server that always has one more byte
		return os.ErrDeadlineExceeded
	}
	limit := x.server.checker.options.BufferSize
	if len(x.response) == cap(x.response) {
		grown := make([]byte, len(x.response), min(max(2*cap(x.response), 512), max(limit, cap(x.response))))
		copy(grown, x.response)
		x.response = grown
	}
	n, err := x.conn.Read(x.response[len(x.response):min(cap(x.response), limit)])
	x.response = x.response[:len(x.response)+n]
	x.full = len(x.response) == limit
	if err == io.EOF {
		x.ended = true
		return nil
	}
	return err
}

// forget clears the response: what is sent next has an answer of its own.
func (x *exchange) forget() {
	x.response, x.answer, x.full = x.response[:0], nil, false
}

// broken decides the check by an error of the connection, at a step.
func (x *exchange) broken(err error, s *step) bool {
	where := x.script.where(s)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		status := backend.CheckL4Timeout
		if x.connected {
			status = s.timeoutStatus()
		}
		return x.fail(status, where)
	}
	status := backend.CheckSocketError
	if !x.connected && !ours(err) {
		status = backend.CheckL4Failed
	}
	return x.fail(status, reason(err)+where)
}

// ours tells errors of a connect that say nothing about the server: descriptors, ports or memory ran out here.
func ours(err error) bool {
	var elsewhere *poller.SocketsError
	if errors.As(err, &elsewhere) {
		return true
	}
	var e syscall.Errno
	return errors.As(err, &e) && (poller.Exhausted(e) || e == poller.EAGAIN || e == poller.EADDRINUSE || e == poller.EADDRNOTAVAIL)
}

// reason words an error as the C library does, which differs from Go's words by the first letter.
func reason(err error) string {
	var e syscall.Errno
	var elsewhere *poller.SocketsError
	text := err.Error()
	if !errors.As(err, &elsewhere) && errors.As(err, &e) {
		text = e.Error()
	}
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// look finds a variable of the check, its session or the process.
func (x *exchange) look(name string) (string, bool) {
	if strings.HasPrefix(name, "proc.") {
		value, ok := x.server.checker.variables.Load(name)
		if !ok {
			return "", false
		}
		return value.(string), true
	}
	value, ok := x.variables[name]
	return value, ok
}

// know gives what formats and expressions go by.
func (x *exchange) know() *config.CheckValues {
	o := &x.server.checker.options
	v := &x.values
	v.Variable, v.Environment, v.Payload = x.look, o.Environment, x.response
	if x.answer != nil {
		v.Payload = x.answer
	}
	if v.Environment == nil {
		v.Environment = os.LookupEnv
	}
	v.Server, v.ServerID, v.Backend, v.BackendID = x.server.name, x.server.id, x.server.proxy.Name, x.server.proxy.ID
	v.Host, v.Process = o.Node, o.Process
	return v
}

func (x *exchange) format(f *config.CheckFormat) string { return string(f.Append(nil, x.know())) }
