//go:build linux

package measure

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Machine is what the cores have done since the machine started.
type Machine struct {
	At    time.Time
	Cores map[int]Core
}

// Core is what one core did.
type Core struct {
	Idle   time.Duration // exact to a clock tick while the kernel stops its ticks on idle cores (CONFIG_NO_HZ_IDLE)
	Stolen time.Duration // the hypervisor gave it to others
	Total  time.Duration
	// SoftIRQ is the kernel's deferred work, network packets above all. It is sampled, so a share at best.
	SoftIRQ time.Duration
}

// ReadMachine reads /proc/stat.
func ReadMachine() (Machine, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	m := Machine{At: time.Now()}
	m.Cores, err = parseCores(string(text))
	return m, err
}

// parseCores reads proc(5)'s lines "cpuN user nice system idle iowait irq softirq steal guest guest_nice".
func parseCores(text string) (map[int]Core, error) {
	cores := map[int]Core{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 9 || !strings.HasPrefix(fields[0], "cpu") || fields[0] == "cpu" {
			continue
		}
		number, err := strconv.Atoi(fields[0][3:])
		if err != nil {
			return nil, fmt.Errorf("/proc/stat: %q: %w", line, err)
		}
		var c Core
		for i, field := range fields[1:9] { // guest time is contained in user and nice
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("/proc/stat: %q: %w", line, err)
			}
			d := time.Duration(n) * tick
			switch i {
			case 3, 4:
				c.Idle += d
			case 6:
				c.SoftIRQ = d
			case 7:
				c.Stolen = d
			}
			c.Total += d
		}
		cores[number] = c
	}
	if len(cores) == 0 {
		return nil, fmt.Errorf("/proc/stat has no cores")
	}
	return cores, nil
}

// Span is what the machine did between two readings.
type Span struct {
	Length time.Duration
	cores  map[int]Core
}

// Between is the span from a to b.
func Between(a, b Machine) Span {
	s := Span{b.At.Sub(a.At), map[int]Core{}}
	for n, c := range b.Cores {
		d := a.Cores[n]
		s.cores[n] = Core{c.Idle - d.Idle, c.Stolen - d.Stolen, c.Total - d.Total, c.SoftIRQ - d.SoftIRQ}
	}
	return s
}

// Busy is how long the cores worked, all together, the kernel's own threads and interrupts included: the time that they were neither idle
// nor taken by the hypervisor. Idle time is what is exact, so it is measured that way round.
func (s Span) Busy(cores ...int) time.Duration {
	var busy time.Duration
	for n, c := range s.cores {
		if len(cores) == 0 || slices.Contains(cores, n) {
			busy += max(0, s.Length-c.Idle-c.Stolen)
		}
	}
	return busy
}

// BusyShare is Busy as a share of what there was, 0 to 1.
func (s Span) BusyShare(cores ...int) float64 {
	n := len(cores)
	if n == 0 {
		n = len(s.cores)
	}
	if n == 0 || s.Length <= 0 {
		return 0
	}
	return s.Busy(cores...).Seconds() / s.Length.Seconds() / float64(n)
}

// StolenShare is the part of the time that the hypervisor gave to others, 0 to 1.
func (s Span) StolenShare(cores ...int) float64 {
	var stolen, total time.Duration
	for n, c := range s.cores {
		if len(cores) == 0 || slices.Contains(cores, n) {
			stolen, total = stolen+c.Stolen, total+c.Total
		}
	}
	if total == 0 {
		return 0
	}
	return stolen.Seconds() / total.Seconds()
}
