package config

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// FuzzReader reads any bytes. Each line either comes out once or not at all, what comes out can be quoted and read
// again, and every complaint has a place.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{
		"global\n\tmaxconn 10 # c\n",
		".if streq(\"$A\",b) && !(0 || defined(B))\n.notice \"${A-x}\"\n.elif 1\n.else\n.endif\n",
		"a 'b' \"c\\n\\x41\" \\ d\\\n\"${L[*]}\" \"$.LINE${.FILE}\"",
		"\xef\xbb\xbfa\r\nb\rc\n\x00\n\"",
		".if 0\n\"\n.elif (\n.endif x\n.else\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := bytes.Count(data, []byte("\n")) + 1
		check := func(pos Pos) {
			if pos.File != "f" || pos.Line < 1 || pos.Line > lines {
				t.Fatalf("no place: %v", pos)
			}
		}
		complaints, last := 0, 0
		env := NewEnv([]string{"A=a b", "L= x  'y\" "})
		r := NewReader([]File{{"f", data}}, env, func(d Diagnostic) {
			complaints++
			check(d.Pos)
			d.Format(1)
		})
		var again strings.Builder
		var read [][]Word
		for {
			line, ok := r.Next()
			if !ok {
				break
			}
			check(line.Pos)
			if line.Pos.Line <= last || len(line.Words) == 0 || line.Words[0].Text == "" || line.Words[len(line.Words)-1].Text == "" {
				t.Fatalf("%v after line %d", line, last)
			}
			last = line.Pos.Line
			read = append(read, line.Words)
			for _, word := range line.Words {
				again.WriteString(Quote(word.Text) + " ")
			}
			again.WriteByte('\n')
		}
		if complaints > 3*lines {
			t.Fatalf("%d complaints about %d lines", complaints, lines)
		}
		r = NewReader([]File{{"f", []byte(again.String())}}, env, func(d Diagnostic) {
			t.Fatalf("%s in %q", d.Text, again.String())
		})
		for i, words := range read {
			line, ok := r.Next()
			if !ok || line.Pos.Line != i+1 || len(line.Words) != len(words) {
				t.Fatalf("%v is read back as %v", words, line)
			}
			for j := range words {
				if line.Words[j].Text != words[j].Text {
					t.Fatalf("%q is read back as %q", words[j].Text, line.Words[j].Text)
				}
			}
		}
	})
}

// FuzzCondition evaluates any text; a negation gives the opposite, and an error stays one.
func FuzzCondition(f *testing.F) {
	for _, seed := range []string{"1 && !0 || (defined(A))", "streq(\"a)\",'b\\n')", "version_atleast(2.4-dev18)", "feature(EPOLL", "!!(-1)"} {
		f.Add(seed)
	}
	env := NewEnv([]string{"A=a"})
	f.Fuzz(func(t *testing.T, text string) {
		met, err := Evaluate(text, env)
		if met && err != nil {
			t.Fatalf("met in spite of %v", err)
		}
		negated, negatedErr := Evaluate("!("+text+")", env)
		switch {
		case err == nil && negatedErr == nil && met == negated:
			t.Fatal("a condition and its negation are the same")
		case err == nil && negatedErr != nil && strings.TrimSpace(text) != "" && !strings.Contains(negatedErr.Error(), "nested"):
			t.Fatalf("only the negation is wrong: %v", negatedErr)
		}
		EvaluateLine(text, env)
	})
}

// FuzzAddress: what is accepted is printed, and accepted again as the same value.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{":80", "*:80-90", "[::1]:+10", "::1:80", "ipv6@", "/x", "unix@x", "abns@x", "fd@3", "tcp4@1.2.3.4:1", "a.b_c:-1", "${A}:$B"} {
		f.Add(seed)
	}
	env := NewEnv([]string{"A=::1"})
	f.Fuzz(func(t *testing.T, text string) {
		if expanded, err := ExpandAddress(text, env); err == nil {
			text = expanded
		}
		for _, o := range []AddressOptions{anyAddress, bindAddress, serverAddress, {}} {
			a, err := ParseAddress(text, o)
			if err != nil {
				continue
			}
			again, err := ParseAddress(a.String(), o)
			if err != nil || again != a {
				t.Fatalf("%q is %+v; %s is %+v, %v", text, a, a, again, err)
			}
		}
		ParseAddresses(text, bindAddress)
	})
}

// FuzzDuration: what is accepted is printed, and accepted again as the same value. Sizes come along.
func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"0", "10", "1500us", "90s", "24d", "2147483647", "1kb", "8589934591g"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if size, err := ParseSize(text); err == nil && size < 0 {
			t.Fatalf("a size of %d", size)
		}
		for _, unit := range []time.Duration{time.Microsecond, time.Millisecond, time.Second} {
			d, err := ParseDuration(text, unit)
			if err != nil {
				continue
			}
			again, err := ParseDuration(FormatDuration(d), unit)
			if err != nil || again != d || d < 0 || d > MaxDuration {
				t.Fatalf("%v is printed as %s and read back as %v, %v", d, FormatDuration(d), again, err)
			}
		}
	})
}
