package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// value is one field of "show info" or "show stat". The zero value is an empty field.
type value struct {
	kind  string // "u32", "u64", "s32", "str"
	text  string
	exact float64 // with fractions of seconds, for "float"; 0: text
}

func u32[T ~int | ~int64 | ~uint64 | ~uint32](n T) value {
	return value{kind: "u32", text: strconv.FormatUint(uint64(max(n, 0)), 10)}
}
func u64[T ~int | ~int64 | ~uint64](n T) value {
	return value{kind: "u64", text: strconv.FormatUint(uint64(max(n, 0)), 10)}
}
func s32(n int) value       { return value{kind: "s32", text: strconv.Itoa(n)} }
func str(text string) value { return value{kind: "str", text: strings.ReplaceAll(text, "\n", " ")} }

func (v value) empty() bool { return v.kind == "" }

// age is a time in whole seconds.
func age(d time.Duration) value { return u32(int64(d / time.Second)) }

// milliseconds of a time, for columns that have them.
func milliseconds(d time.Duration) value { return u32(int64(d / time.Millisecond)) }

// truth is 1 or 0.
func truth(is bool) value {
	if is {
		return u32(1)
	}
	return u32(0)
}

// column is what a field means.
type column struct {
	name string
	tags string // origin, nature and scope, as the management guide's 9.2 has them
	help string
}

// jsonTags are the words for the three letters of the tags.
var jsonTags = [3]struct {
	name  string
	words map[byte]string
}{
	{"origin", map[byte]string{'M': "Metric", 'S': "Status", 'K': "Key", 'C': "Config", 'P': "Product"}},
	{"nature", map[byte]string{'A': "Age", 'a': "Avg", 'C': "Counter", 'D': "Duration", 'G': "Gauge", 'L': "Limit", 'M': "Max", 'm': "Min", 'N': "Name", 'O': "Output", 'R': "Rate", 'T': "Time"}},
	{"scope", map[byte]string{'C': "Cluster", 'P': "Process", 'S': "Service", 's': "System"}},
}

// writeJSON writes the part of a field that "show info" and "show stat" share, from "field" on.
func writeJSON(w io.Writer, position int, c *column, v value) {
	name, _ := json.Marshal(c.name)
	fmt.Fprintf(w, `"field":{"pos":%d,"name":%s},"processNum":1,"tags":{`, position, name)
	for i, t := range jsonTags {
		if i > 0 {
			io.WriteString(w, ",")
		}
		fmt.Fprintf(w, `"%s":"%s"`, t.name, t.words[c.tags[i]])
	}
	text := v.text
	if v.kind == "str" {
		marshalled, _ := json.Marshal(v.text)
		text = string(marshalled)
	}
	fmt.Fprintf(w, `},"value":{"type":"%s","value":%s}}`, v.kind, text)
}

// quoted writes a field so that it stays one: with quotes where it needs them.
func quoted(text string) string {
	if strings.ContainsAny(text, ",\"\n") {
		return `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	return text
}

// clock writes a time as "0d 0h03m31s".
func clock(d time.Duration) string {
	s := int64(d / time.Second)
	return fmt.Sprintf("%dd %dh%02dm%02ds", s/86400, s/3600%24, s/60%60, s%60)
}
