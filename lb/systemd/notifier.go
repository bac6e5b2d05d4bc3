package systemd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Messages of sd_notify(3) that have no variable part.
const (
	Ready    = daemon.SdNotifyReady
	Stopping = daemon.SdNotifyStopping
	Watchdog = daemon.SdNotifyWatchdog
)

// socketVariable names the manager's socket: a path, or an abstract name behind an @.
const socketVariable = "NOTIFY_SOCKET"

// patience bounds how long a message may wait for the manager to read earlier ones.
const patience = time.Second

// Notifier speaks to the manager. Its methods do nothing on nil.
type Notifier struct {
	address  *net.UnixAddr
	watchdog time.Duration

	mu   sync.Mutex
	conn *net.UnixConn // nil after a failure: it is dialled anew
}

// Open connects to the manager that started this process; nil without an error: there is none. The environment's variables
// for it are gone afterwards.
func Open() (*Notifier, error) {
	name := os.Getenv(socketVariable)
	os.Unsetenv(socketVariable)
	watchdog, err := daemon.SdWatchdogEnabled(true)
	if name == "" {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("service manager: %w", err)
	}
	if name[0] != '/' && name[0] != '@' {
		return nil, fmt.Errorf("service manager: cannot use %s '%s': neither a path nor an abstract name", socketVariable, name)
	}
	n := &Notifier{address: &net.UnixAddr{Name: name, Net: "unixgram"}, watchdog: watchdog}
	if err := n.dial(); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *Notifier) dial() error {
	conn, err := net.DialUnix("unixgram", nil, n.address)
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	n.conn = conn
	return nil
}

// WatchdogTime is how long the manager waits for a Watchdog message before it takes the process for hung; 0: it does not.
func (n *Notifier) WatchdogTime() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}

// Send sends assignments, such as Ready, as one message. A manager that has made its socket anew is dialled again.
func (n *Notifier) Send(assignments ...string) error {
	if n == nil {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	message := []byte(strings.Join(assignments, "\n"))
	var err error
	for range 2 {
		if n.conn == nil {
			if err = n.dial(); err != nil {
				return err
			}
		}
		n.conn.SetWriteDeadline(time.Now().Add(patience))
		if _, err = n.conn.Write(message); err == nil {
			return nil
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break // it is there and does not read
		}
		n.conn.Close()
		n.conn = nil
	}
	return fmt.Errorf("service manager: %w", err)
}

// Status is the assignment of a line that "systemctl status" shows.
func Status(format string, arguments ...any) string {
	return "STATUS=" + strings.ReplaceAll(fmt.Sprintf(format, arguments...), "\n", " ")
}

// MainPID is the assignment that makes the manager watch another process than the one that it started.
func MainPID(pid int) string { return fmt.Sprintf("MAINPID=%d", pid) }

// ExtendTimeout is the assignment that asks for so much more time to stop.
func ExtendTimeout(d time.Duration) string {
	return fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", d.Microseconds())
}
