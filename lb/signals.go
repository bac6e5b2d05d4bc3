package lb

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/sluice-lb/sluice/lb/config"
)

// controlled is what signals act on: a Balancer.
type controlled interface {
	SoftStop()
	Stop()
	Done() <-chan struct{}
}

// operator turns signals into what happens to the balancer. What HAProxy's management guide says, section 4:
//
//	SIGINT, SIGTERM  all flows are cut and the process ends
//	SIGUSR1          soft stop: "grace" passes, listening ends, the last flow ends the process; after "hard-stop-after",
//	                 counted from the signal, what is left is cut. Further ones change nothing
//	SIGHUP           the state of each proxy and server is written to standard error, and to the proxies' logs
//	SIGQUIT          so is the use of memory
//
// SIGTTOU and SIGTTIN, with which an old process is asked to give its ports away for a moment and to take them back,
// are not needed: every socket listens with SO_REUSEPORT, so old and new process listen side by side. They are ignored,
// and so are SIGPIPE and SIGUSR2, which is for a master process.
type operator struct {
	balancer controlled
	status   func() []string // lines for SIGHUP
	messages *messages
	stopping func(patience time.Duration) // tells the service manager that the end has begun, and how long it may take; 0: not known
	grace    time.Duration
	hardStop time.Duration // 0: wait for ever
	after    func(time.Duration) <-chan time.Time
}

// watchSignals starts to receive the signals that an operator handles, and ignores those that would harm.
func watchSignals() <-chan os.Signal {
	received := make(chan os.Signal, 16) // a burst of different ones is kept
	signal.Notify(received, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGHUP, syscall.SIGQUIT)
	signal.Ignore(syscall.SIGPIPE, syscall.SIGTTOU, syscall.SIGTTIN, syscall.SIGUSR2)
	return received
}

// run serves until the balancer is done, and gives the exit code of the process.
func (o *operator) run(signals <-chan os.Signal) int {
	var graceOver, patienceOver <-chan time.Time
	stopping := false
	for {
		select {
		case <-o.balancer.Done():
			return 0
		case <-graceOver:
			graceOver = nil
			o.balancer.SoftStop()
		case <-patienceOver:
			o.messages.say(config.Warning, "soft-stop running for too long, performing a hard-stop.")
			o.balancer.Stop()
			return 0
		case s := <-signals:
			switch s {
			case syscall.SIGINT, syscall.SIGTERM:
				o.stopping(0)
				o.balancer.Stop()
				return 0
			case syscall.SIGUSR1:
				if stopping {
					break
				}
				stopping = true
				o.stopping(o.hardStop)
				if o.hardStop > 0 {
					patienceOver = o.after(o.hardStop)
				}
				if o.grace > 0 {
					graceOver = o.after(o.grace)
				} else {
					o.balancer.SoftStop()
				}
			case syscall.SIGHUP:
				o.messages.say(config.Warning, "SIGHUP received, dumping servers states.")
				for _, line := range o.status() {
					o.messages.say(config.Warning, "SIGHUP: %s", line)
				}
			case syscall.SIGQUIT:
				o.reportMemory()
			}
		}
	}
}

func (o *operator) reportMemory() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	o.messages.say(config.Notice, "SIGQUIT: heap %d KiB in %d objects, stacks %d KiB, from the system %d KiB, %d collections, %d goroutines.",
		m.HeapAlloc>>10, m.HeapObjects, m.StackInuse>>10, m.Sys>>10, m.NumGC, runtime.NumGoroutine())
}
