package admin

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		line string
		want [][]string
	}{
		{"", nil},
		{" \t ", nil},
		{"show info", [][]string{{"show", "info"}}},
		{"  show\t info  ", [][]string{{"show", "info"}}},
		{"show info;show stat", [][]string{{"show", "info"}, {"show", "stat"}}},
		{"show info ; show stat ;", [][]string{{"show", "info"}, {"show", "stat"}}},
		{";show info", [][]string{nil, {"show", "info"}}},
		{";", [][]string{nil}},
		{"a;;b", [][]string{{"a"}, nil, {"b"}}},
		{`show env A\;B`, [][]string{{"show", "env", "A;B"}}},
		{`show env A\ B`, [][]string{{"show", "env", "A B"}}},
		{`show env A\\B\\`, [][]string{{"show", "env", `A\B\`}}},
		{`a \; b`, [][]string{{"a", ";", "b"}}},
		{`a \`, [][]string{{"a", `\`}}},
		{`\ `, [][]string{{" "}}},
	} {
		commands, err := split(test.line)
		if err != nil {
			t.Errorf("%q: %v", test.line, err)
		}
		var got [][]string
		for _, c := range commands {
			got = append(got, c.words)
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %q, want %q", test.line, got, test.want)
		}
	}
	if _, err := split(strings.Repeat("a ", maxWords)); err != nil {
		t.Errorf("as many words as may be: %v", err)
	}
	if _, err := split(strings.Repeat("a ", maxWords+1)); err != errTooManyWords {
		t.Errorf("one word more: %v", err)
	}
}

// all reads everything that text has.
func all(text string) (commands []entered, err error) {
	r := newReader(strings.NewReader(text))
	for {
		some, err := r.next()
		commands = append(commands, some...)
		if err != nil {
			return commands, err
		}
	}
}

func TestPayload(t *testing.T) {
	for _, test := range []struct {
		text string
		want []entered
		err  error
	}{
		{"a b <<\none\ntwo\n\nc\n", []entered{{[]string{"a", "b"}, "one\ntwo\n"}, {[]string{"c"}, ""}}, io.EOF},
		{"a;b <<\n x \n\n", []entered{{[]string{"a"}, ""}, {[]string{"b"}, " x \n"}}, io.EOF},
		{"a <<\n\n", []entered{{[]string{"a"}, ""}}, io.EOF},
		{"a <<\r\none\r\n\r\n", []entered{{[]string{"a"}, "one\n"}}, io.EOF},
		{"a b<<\nc\n", []entered{{[]string{"a", "b<<"}, ""}, {[]string{"c"}, ""}}, io.EOF},
		{`a \<<` + "\nc\n", []entered{{[]string{"a"}, ""}}, io.EOF}, // the mark stands alone, however it is written
		{"a << b\nc\n", []entered{{[]string{"a", "<<", "b"}, ""}, {[]string{"c"}, ""}}, io.EOF},
		{"a <<\nunfinished", []entered{{[]string{"a"}, ""}}, io.EOF},
		{"a\nunfinished", []entered{{[]string{"a"}, ""}}, io.EOF},
		{"a\n" + strings.Repeat("x", maxLine+1) + "\n", []entered{{[]string{"a"}, ""}}, errLineTooLong},
		{"a <<\n" + strings.Repeat(strings.Repeat("x", 1000)+"\n", maxPayload/1000+1), []entered{{[]string{"a"}, ""}}, errPayloadTooLong},
	} {
		got, err := all(test.text)
		if !errors.Is(err, test.err) {
			t.Errorf("%.60q: %v, want %v", test.text, err, test.err)
		}
		if test.err != io.EOF || strings.Contains(test.text, `\<<`) || strings.HasSuffix(test.text, "unfinished") {
			continue // what came before an error is carried out, or not, by whoever reads
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%.60q: %q, want %q", test.text, got, test.want)
		}
	}
}

// Whatever comes, the reader comes to its end, and what it gives has the bounds and can be written so that it reads the same.
func FuzzReader(f *testing.F) {
	f.Add("show info;show stat\n")
	f.Add(`set server a/b fqdn x\;y\ z` + "\n")
	f.Add("set ssl cert x <<\nline\n\nshow info\n")
	f.Add(";;\n\\\n\\;\\ \\\\\n")
	f.Fuzz(func(t *testing.T, text string) {
		commands, _ := all(text)
		for _, c := range commands {
			if len(c.words) > maxWords || len(c.payload) > maxPayload+maxLine {
				t.Fatalf("%d words, %d bytes of payload", len(c.words), len(c.payload))
			}
			var line strings.Builder
			for _, w := range c.words {
				for i := range len(w) {
					line.WriteByte('\\')
					line.WriteByte(w[i])
				}
				line.WriteByte(' ')
			}
			again, err := split(line.String())
			if len(c.words) > 0 && (err != nil || len(again) != 1 || !slices.Equal(again[0].words, c.words)) {
				t.Fatalf("%q reads %q, %v", line.String(), again, err)
			}
			find(c.words)
			resembling(c.words)
		}
	})
}
