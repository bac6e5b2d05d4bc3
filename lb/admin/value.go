package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Value is one field of "show info" or "show stat". The zero value is an empty field.
type Value struct {
	kind   string  // "u32", "u64", "s32", "str"
	text   string  // of a "str"
	number int64   // of the others
	exact  float64 // with fractions, for "float"; 0: number
}

func u32[T ~int | ~int64 | ~uint64 | ~uint32](n T) Value {
	return Value{kind: "u32", number: max(int64(n), 0)}
}
func u64[T ~int | ~int64 | ~uint64](n T) Value { return Value{kind: "u64", number: max(int64(n), 0)} }
func s32(n int) Value                          { return Value{kind: "s32", number: int64(n)} }
func str(text string) Value                    { return Value{kind: "str", text: strings.ReplaceAll(text, "\n", " ")} }

// Empty tells whether the field has no value.
func (v Value) Empty() bool { return v.kind == "" }

// IsText tells whether the field is words, and not a number.
func (v Value) IsText() bool { return v.kind == "str" }

// Number is the value of a field that is a number, with fractions where it has any; 0 for others.
func (v Value) Number() float64 {
	if v.exact != 0 {
		return v.exact
	}
	return float64(v.number)
}

// String is the field as a listing has it, a number without fractions.
func (v Value) String() string {
	switch v.kind {
	case "", "str":
		return v.text
	}
	return strconv.FormatInt(v.number, 10)
}

// age is a time in whole seconds.
func age(d time.Duration) Value { return u32(int64(d / time.Second)) }

// milliseconds of a time, for columns that have them.
func milliseconds(d time.Duration) Value { return u32(int64(d / time.Millisecond)) }

// truth is 1 or 0.
func truth(is bool) Value {
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
func writeJSON(w io.Writer, position int, c *column, v Value) {
	name, _ := json.Marshal(c.name)
	fmt.Fprintf(w, `"field":{"pos":%d,"name":%s},"processNum":1,"tags":{`, position, name)
	for i, t := range jsonTags {
		if i > 0 {
			io.WriteString(w, ",")
		}
		fmt.Fprintf(w, `"%s":"%s"`, t.name, t.words[c.tags[i]])
	}
	text := v.String()
	if v.IsText() {
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
