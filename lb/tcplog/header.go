package tcplog

import (
	"strconv"
	"time"
)

// header is what stands before the text of a line: the "format" of a log target.
type header uint8

// In the order of headerNames. What each looks like, by the output of HAProxy 2.6.12:
const (
	local    header = iota // <134>Nov  2 14:57:48 sluice[14964]: text
	rfc3164                // <134>Nov  2 14:57:48 host sluice[14964]: text
	rfc5424                // <134>1 2026-11-02T14:57:48.131053+00:00 host sluice 14964 - - text
	priority               // <134>text
	short                  // <6>text
	raw                    // text
	timed                  // <6>2026-11-02T14:57:48.131076+00:00 text
	iso                    // 2026-11-02T14:57:48.131080+00:00 text
)

func (h header) hasFacility() bool { return h <= priority }

// appendLine appends one whole line with its line feed, and tells whether it had to be cut.
func (t *target) appendLine(b []byte, level Level, dates *headerDates, text []byte) (line []byte, cut bool) {
	start := len(b)
	level = max(level, t.severe)
	switch t.header {
	case local, rfc3164, rfc5424, priority:
		b = append(strconv.AppendInt(append(b, '<'), int64(t.facility)*8+int64(level), 10), '>')
	case short, timed:
		b = append(b, '<', '0'+byte(level), '>')
	}
	switch t.header {
	case local:
		b = append(append(b, dates.syslog[:]...), t.tag...)
	case rfc3164:
		b = append(b, dates.syslog[:]...)
		b = append(append(b, orElse(t.host, "localhost")...), ' ')
		b = append(b, t.tag...)
	case rfc5424:
		b = append(b, "1 "...)
		b = append(dates.appendISO(b), ' ')
		b = append(b, orElse(t.host, "-")...)
		b = append(b, t.tag...)
	case timed, iso:
		b = append(dates.appendISO(b), ' ')
	}
	b = append(b, text...)
	if cut = len(b)-start > t.limit; cut {
		b = b[:start+t.limit]
	}
	return append(b, '\n'), cut
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// headerDates keeps the texts of the present second for the headers. Only the shipper's goroutine touches it.
type headerDates struct {
	valid      bool
	second     int64
	nanosecond int
	syslog     [16]byte // "Jan _2 15:04:05 ": RFC 3164, 4.1.2
	iso        [19]byte // 2006-01-02T15:04:05
	zone       [6]byte  // -07:00
}

func (d *headerDates) update(t time.Time) {
	d.nanosecond = t.Nanosecond()
	second := t.Unix()
	if d.valid && d.second == second {
		return
	}
	t = t.Local()
	d.valid, d.second = true, second
	_, month, day := t.Date()

	b := append(d.syslog[:0], month.String()[:3]...)
	b = appendPadded(append(b, ' '), day, 2)
	if b[4] == '0' {
		b[4] = ' '
	}
	b = appendTimeOfDay(append(b, ' '), t)
	_ = append(b, ' ')

	appendISODate(d.iso[:0], t)
	_, offset := t.Zone()
	appendZone(d.zone[:0], offset, true)
}

// appendISO appends the date with microseconds: RFC 5424, 6.2.3.
func (d *headerDates) appendISO(b []byte) []byte {
	b = append(append(b, d.iso[:]...), '.')
	b = appendPadded(b, d.nanosecond/1000, 6)
	return append(b, d.zone[:]...)
}
