package config

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// MaxDuration is the longest duration that the language can say: 2^31-1 milliseconds, about 24.8 days.
const MaxDuration = math.MaxInt32 * time.Millisecond

var durationUnits = []struct {
	name string
	unit time.Duration
}{
	{"us", time.Microsecond}, {"ms", time.Millisecond}, {"s", time.Second},
	{"m", time.Minute}, {"h", time.Hour}, {"d", 24 * time.Hour},
}

// ParseDuration reads digits and an optional unit: us, ms, s, m, h or d. Without one, unit is what the number counts. Signs,
// fractions, sums of several units and more than [MaxDuration] are errors. Microseconds are kept; HAProxy rounds them up to
// milliseconds for most keywords.
func ParseDuration(text string, unit time.Duration) (time.Duration, error) {
	number, name, err := leadingNumber(text)
	if err != nil {
		return 0, err
	}
	known := name == ""
	for _, u := range durationUnits {
		if u.name == name {
			unit, known = u.unit, true
		}
	}
	if !known {
		return 0, fmt.Errorf("unknown unit '%s' in '%s'; there are us, ms, s, m, h and d", name, text)
	}
	if number > int64(MaxDuration/unit) {
		return 0, fmt.Errorf("'%s' is too long; the most is %dms, about 24.8 days", text, MaxDuration/time.Millisecond)
	}
	return time.Duration(number) * unit, nil
}

// FormatDuration gives a text that [ParseDuration] reads back as d whatever its default unit, in the largest unit that
// leaves no fraction. d is from 0 to MaxDuration and in whole microseconds; a smaller fraction is cut off.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	for i := len(durationUnits) - 1; i > 0; i-- {
		if u := durationUnits[i]; d%u.unit == 0 {
			return fmt.Sprintf("%d%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%dus", d/time.Microsecond)
}

// ParseSize reads a number of bytes: digits and an optional k, m or g for powers of 1024, in either case.
func ParseSize(text string) (int64, error) {
	number, name, err := leadingNumber(text)
	if err != nil {
		return 0, err
	}
	shift := 0
	switch name {
	case "":
	case "k", "K":
		shift = 10
	case "m", "M":
		shift = 20
	case "g", "G":
		shift = 30
	default:
		return 0, fmt.Errorf("unknown unit '%s' in '%s'; there are k, m and g", name, text)
	}
	if number > math.MaxInt64>>shift {
		return 0, fmt.Errorf("'%s' is too large", text)
	}
	return number << shift, nil
}

// leadingNumber cuts a text into the number that its first digits make, and the rest.
func leadingNumber(text string) (int64, string, error) {
	end := 0
	var number int64
	for ; end < len(text) && isDigit(text[end]); end++ {
		digit := int64(text[end] - '0')
		if number > (math.MaxInt64-digit)/10 {
			return 0, "", fmt.Errorf("'%s' is too large", text)
		}
		number = number*10 + digit
	}
	switch {
	case text == "":
		return 0, "", errors.New("a number is missing")
	case end == 0:
		return 0, "", fmt.Errorf("'%s' does not start with a digit", text)
	}
	return number, text[end:], nil
}
