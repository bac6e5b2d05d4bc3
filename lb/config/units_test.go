package config

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	const s = time.Second
	tests := []struct {
		text    string
		unit    time.Duration
		want    time.Duration
		problem string
	}{
		{"0", s, 0, ""},
		{"00", s, 0, ""},
		{"10", time.Millisecond, 10 * time.Millisecond, ""},
		{"10", s, 10 * s, ""},
		{"10", time.Microsecond, 10 * time.Microsecond, ""},
		{"1us", s, time.Microsecond, ""},
		{"010ms", s, 10 * time.Millisecond, ""},
		{"2s", time.Millisecond, 2 * s, ""},
		{"3m", s, 180 * s, ""},
		{"4h", s, 14400 * s, ""},
		{"24d", s, 24 * 86400 * s, ""},
		{"2147483647", time.Millisecond, MaxDuration, ""},
		{"2147483648", time.Millisecond, 0, "'2147483648' is too long; the most is 2147483647ms, about 24.8 days"},
		{"25d", s, 0, "'25d' is too long; the most is 2147483647ms, about 24.8 days"},
		{"9223372036854775807d", s, 0, "'9223372036854775807d' is too long; the most is 2147483647ms, about 24.8 days"},
		{"9223372036854775808", s, 0, "'9223372036854775808' is too large"},
		{"99999999999999999999s", s, 0, "'99999999999999999999s' is too large"},
		{"", s, 0, "a number is missing"},
		{"s", s, 0, "'s' does not start with a digit"},
		{"-1", s, 0, "'-1' does not start with a digit"},
		{"+1", s, 0, "'+1' does not start with a digit"},
		{" 1", s, 0, "' 1' does not start with a digit"},
		{"1S", s, 0, "unknown unit 'S' in '1S'; there are us, ms, s, m, h and d"},
		{"1 s", s, 0, "unknown unit ' s' in '1 s'; there are us, ms, s, m, h and d"},
		{"1.5s", s, 0, "unknown unit '.5s' in '1.5s'; there are us, ms, s, m, h and d"},
		{"1sm", s, 0, "unknown unit 'sm' in '1sm'; there are us, ms, s, m, h and d"}, // HAProxy 2.6 warns that this will be an error
		{"1h30m", s, 0, "unknown unit 'h30m' in '1h30m'; there are us, ms, s, m, h and d"},
	}
	for _, test := range tests {
		got, err := ParseDuration(test.text, test.unit)
		if got != test.want || problem(err) != test.problem {
			t.Errorf("%s: got %v, %v; want %v %s", test.text, got, err, test.want, test.problem)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	tests := map[time.Duration]string{
		0:                       "0",
		time.Microsecond:        "1us",
		1500 * time.Microsecond: "1500us",
		time.Millisecond:        "1ms",
		90 * time.Second:        "90s",
		time.Minute:             "1m",
		36 * time.Hour:          "36h",
		48 * time.Hour:          "2d",
		MaxDuration:             "2147483647ms",
	}
	for d, want := range tests {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	tests := []struct {
		text    string
		want    int64
		problem string
	}{
		{"0", 0, ""},
		{"16384", 16384, ""},
		{"1k", 1 << 10, ""},
		{"2K", 2 << 10, ""},
		{"3m", 3 << 20, ""},
		{"4G", 4 << 30, ""},
		{"8589934591g", 8589934591 << 30, ""},
		{"8589934592g", 0, "'8589934592g' is too large"},
		{"9223372036854775808", 0, "'9223372036854775808' is too large"},
		{"", 0, "a number is missing"},
		{"k", 0, "'k' does not start with a digit"},
		{"-1", 0, "'-1' does not start with a digit"},
		{"1kb", 0, "unknown unit 'kb' in '1kb'; there are k, m and g"},
		{"1.5k", 0, "unknown unit '.5k' in '1.5k'; there are k, m and g"},
		{"1\u212a", 0, "unknown unit '\u212a' in '1\u212a'; there are k, m and g"},
	}
	for _, test := range tests {
		got, err := ParseSize(test.text)
		if got != test.want || problem(err) != test.problem {
			t.Errorf("%s: got %d, %v; want %d %s", test.text, got, err, test.want, test.problem)
		}
	}
}
