package tcplog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Level is a syslog severity (RFC 5424, 6.2.1): 0 is the most severe.
type Level uint8

// The syslog levels.
const (
	Emergency Level = iota
	Alert
	Critical
	Err
	Warning
	Notice
	Info
	Debug
)

// The words of a log line, at their numbers.
var (
	levelNames    = []string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	facilityNames = []string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp",
		"ntp", "audit", "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}
	headerNames = []string{"local", "rfc3164", "rfc5424", "priority", "short", "raw", "timed", "iso"}
)

// ParseLevel finds a level by the manual's word for it.
func ParseLevel(word string) (Level, error) {
	n, err := lookup("level", word, levelNames)
	return Level(n), err
}

// String is the manual's word for the level.
func (l Level) String() string { return levelNames[min(l, Debug)] }

func lookup(what, word string, names []string) (int, error) {
	n := slices.Index(names, word)
	if n < 0 {
		return 0, fmt.Errorf("unknown log %s '%s'; known: %s", what, word, strings.Join(names, " "))
	}
	return n, nil
}

// Target is one "log" line: where lines go, which ones, and how they look on the way.
type Target struct {
	Network string // udp, unixgram, stdout, stderr, fd, ring
	Address string // udp: host:port; unixgram: the socket's path; ring: the buffer's name
	FD      int    // fd: the number
	// Length is the longest line in bytes, with its header; what is longer is cut. 0: 1024. The line feed that ends each
	// line counts only where lines go to a descriptor; HAProxy has it so.
	Length   int
	Format   string // local, rfc3164, rfc5424, priority, short, raw, timed, iso; empty: local, or rfc3164 where a hostname is set
	Facility string // kern .. local7; empty only for formats without one
	Level    string // the most verbose level that is sent; empty: debug
	MinLevel string // lines more severe than this are sent as this; empty: emerg

	// Of every SampleSize lines, those whose number (from 1) lies in one of SampleRanges are sent. SampleSize 0: all.
	SampleRanges [][2]int
	SampleSize   int
}

// target is a Target made ready. Only the shipper's goroutine touches it.
type target struct {
	sink              sink
	limit             int // bytes of a line without its line feed
	header            header
	facility          int
	verbose, severe   Level
	sampleRanges      [][2]int
	sampleSize, count int
	tag               string // the part of the header that never changes: host, tag and process
	host              string
}

func newTarget(t Target, tag, host string, pid int) (*target, error) {
	if t.Format == "" {
		t.Format = "local"
		if host != "" {
			t.Format = "rfc3164"
		}
	}
	form, err := lookup("format", t.Format, headerNames)
	if err != nil {
		return nil, err
	}
	made := &target{header: header(form), verbose: Debug, sampleRanges: t.SampleRanges, sampleSize: t.SampleSize, limit: t.Length}
	if t.Facility != "" || made.header.hasFacility() {
		if made.facility, err = lookup("facility", t.Facility, facilityNames); err != nil {
			return nil, err
		}
	}
	if t.Level != "" {
		if made.verbose, err = ParseLevel(t.Level); err != nil {
			return nil, err
		}
	}
	if t.MinLevel != "" {
		if made.severe, err = ParseLevel(t.MinLevel); err != nil {
			return nil, err
		}
	}
	if made.limit == 0 {
		made.limit = 1024
	}
	if made.limit < 80 || made.limit > maxLine {
		return nil, fmt.Errorf("log length %d is not between 80 and %d", made.limit, maxLine)
	}
	for _, r := range t.SampleRanges {
		if r[0] < 1 || r[0] > r[1] || r[1] > t.SampleSize {
			return nil, fmt.Errorf("log sample range %d-%d does not lie between 1 and the sample size %d", r[0], r[1], t.SampleSize)
		}
	}
	made.tag, made.host = tag+"["+strconv.Itoa(pid)+"]: ", host
	if made.header == rfc5424 {
		made.tag = " " + tag + " " + strconv.Itoa(pid) + " - - "
	}
	return made, nil
}

// wants says whether a line of this level goes to the target, and counts it for the sample if so.
func (t *target) wants(level Level) bool {
	if level > t.verbose {
		return false
	}
	if t.sampleSize == 0 {
		return true
	}
	t.count = t.count%t.sampleSize + 1
	for _, r := range t.sampleRanges {
		if t.count >= r[0] && t.count <= r[1] {
			return true
		}
	}
	return false
}
