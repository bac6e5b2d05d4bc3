package config

import "time"

// ParseDuration reads a number with an optional unit (us ms s m h d); unit is what a bare number counts.
func ParseDuration(text string, unit time.Duration) (time.Duration, error) { return 0, nil }

// FormatDuration gives a text that ParseDuration reads back as d.
func FormatDuration(d time.Duration) string { return d.String() }

// ParseSize reads a number of bytes with an optional suffix k, m or g (powers of 1024).
func ParseSize(text string) (int64, error) { return 0, nil }
