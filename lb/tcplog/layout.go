package tcplog

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// layouts are the conversions of strftime(3) that are known, besides "%%".
const layouts = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuVwyYzZ"

// checkLayout looks whether appendLayout knows all of a layout.
func checkLayout(layout string) error {
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' {
			continue
		}
		i++
		if i == len(layout) {
			return fmt.Errorf("the layout '%s' ends with a percent sign", layout)
		}
		if layout[i] != '%' && strings.IndexByte(layouts, layout[i]) < 0 {
			return fmt.Errorf("the layout '%s' has an unknown '%%%c'; known: %%%s", layout, layout[i], strings.Join(strings.Split(layouts, ""), " %"))
		}
	}
	return nil
}

// appendLayout appends t as strftime(3) would in the C locale.
func appendLayout(b []byte, layout string, t time.Time) []byte {
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' || i+1 == len(layout) {
			b = append(b, layout[i])
			continue
		}
		i++
		b = appendConversion(b, layout[i], t)
	}
	return b
}

func appendConversion(b []byte, c byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	twelve := (hour+11)%12 + 1
	switch c {
	case 'a':
		return append(b, t.Weekday().String()[:3]...)
	case 'A':
		return append(b, t.Weekday().String()...)
	case 'b', 'h':
		return append(b, month.String()[:3]...)
	case 'B':
		return append(b, month.String()...)
	case 'c':
		return appendLayout(b, "%a %b %e %H:%M:%S %Y", t)
	case 'C':
		return appendPadded(b, year/100, 2)
	case 'd':
		return appendPadded(b, day, 2)
	case 'D':
		return appendLayout(b, "%m/%d/%y", t)
	case 'e':
		return appendSpaced(b, day)
	case 'F':
		return appendLayout(b, "%Y-%m-%d", t)
	case 'g', 'G', 'V':
		isoYear, week := t.ISOWeek()
		switch c {
		case 'g':
			return appendPadded(b, isoYear, 2)
		case 'G':
			return strconv.AppendInt(b, int64(isoYear), 10)
		}
		return appendPadded(b, week, 2)
	case 'H':
		return appendPadded(b, hour, 2)
	case 'I':
		return appendPadded(b, twelve, 2)
	case 'j':
		return appendPadded(b, t.YearDay(), 3)
	case 'k':
		return appendSpaced(b, hour)
	case 'l':
		return appendSpaced(b, twelve)
	case 'm':
		return appendPadded(b, int(month), 2)
	case 'M':
		return appendPadded(b, minute, 2)
	case 'n':
		return append(b, '\n')
	case 'p', 'P':
		half := "AMPMampm"
		if hour >= 12 {
			half = half[2:]
		}
		if c == 'P' {
			half = half[4:]
		}
		return append(b, half[:2]...)
	case 'r':
		return appendLayout(b, "%I:%M:%S %p", t)
	case 'R':
		return appendLayout(b, "%H:%M", t)
	case 's':
		return strconv.AppendInt(b, t.Unix(), 10)
	case 'S':
		return appendPadded(b, second, 2)
	case 't':
		return append(b, '\t')
	case 'T':
		return appendTimeOfDay(b, t)
	case 'u':
		return strconv.AppendInt(b, int64((t.Weekday()+6)%7)+1, 10)
	case 'w':
		return strconv.AppendInt(b, int64(t.Weekday()), 10)
	case 'y':
		return appendPadded(b, year, 2)
	case 'Y':
		return strconv.AppendInt(b, int64(year), 10)
	case 'z':
		_, offset := t.Zone()
		return appendZone(b, offset, false)
	case 'Z':
		name, _ := t.Zone()
		return append(b, name...)
	}
	return append(b, c) // '%'
}

// appendSpaced is appendPadded to two digits with a space for the zero.
func appendSpaced(b []byte, n int) []byte {
	if n < 10 {
		b = append(b, ' ')
	}
	return strconv.AppendInt(b, int64(n), 10)
}
