package tcplog

import "time"

// clockText keeps the texts of one second, in local time: finding the year and the zone costs more than all the rest
// of a line. It is not to be shared between goroutines; the zero value is ready.
type clockText struct {
	valid      bool
	second     int64
	nanosecond int      // of the last update
	local      [20]byte // 02/Jan/2006:15:04:05
	zone       [5]byte  // -0700
	iso        [19]byte // 2006-01-02T15:04:05
	isoZone    [6]byte  // -07:00
}

// update makes the texts those of t's second.
func (c *clockText) update(t time.Time) {
	c.nanosecond = t.Nanosecond()
	second := t.Unix()
	if c.valid && c.second == second {
		return
	}
	t = t.Local()
	c.valid, c.second = true, second
	appendDate(c.local[:0], t)
	_, offset := t.Zone()
	appendZone(c.zone[:0], offset, false)
	appendISODate(c.iso[:0], t)
	appendZone(c.isoZone[:0], offset, true)
}

// appendISODate appends 2006-01-02T15:04:05.
func appendISODate(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	b = append(appendPadded(b, year, 4), '-')
	b = append(appendPadded(b, int(month), 2), '-')
	b = append(appendPadded(b, day, 2), 'T')
	return appendTimeOfDay(b, t)
}

// appendDate appends 02/Jan/2006:15:04:05.
func appendDate(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	b = append(appendPadded(b, day, 2), '/')
	b = append(append(b, month.String()[:3]...), '/')
	b = append(appendPadded(b, year, 4), ':')
	return appendTimeOfDay(b, t)
}

// appendTimeOfDay appends 15:04:05.
func appendTimeOfDay(b []byte, t time.Time) []byte {
	hour, minute, second := t.Clock()
	b = append(appendPadded(b, hour, 2), ':')
	b = append(appendPadded(b, minute, 2), ':')
	return appendPadded(b, second, 2)
}

// appendZone appends -0700, or -07:00.
func appendZone(b []byte, offset int, colon bool) []byte {
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	b = appendPadded(append(b, sign), offset/3600, 2)
	if colon {
		b = append(b, ':')
	}
	return appendPadded(b, offset/60%60, 2)
}
