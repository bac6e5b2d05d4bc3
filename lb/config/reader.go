package config

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// File is the text of one configuration file.
type File struct {
	Name string // as diagnostics and .FILE give it
	Data []byte
}

// Line is one line of a file that holds words.
type Line struct {
	Pos   Pos
	Words []Word // at least one, and the first is not empty
}

// Reader gives the lines of several files one after the other.
//
// Comments, blank lines, skipped .if blocks and messages do not come out of it, and neither do lines that cannot be cut
// into words: those are reported. Empty words at the end of a line are left out, for to HAProxy an empty argument is
// a missing one.
type Reader struct {
	files   []File
	env     *Env
	report  Reporter
	section string

	file   int    // index of the file being read
	rest   []byte // what is left of it
	pos    Pos
	blocks []block // open .if blocks, the innermost last
}

// NewReader makes a Reader of the files in the order given. The variables of a line are looked up in env when Next reads
// it, so that a change is seen from the next line on.
func NewReader(files []File, env *Env, report Reporter) *Reader {
	r := &Reader{files: files, env: env, report: report}
	r.open(0)
	return r
}

// SetSection says what the pseudo-variable .SECTION is from the next line on: the name of the section, or its keyword if
// it has no name. Each file starts outside of any section.
func (r *Reader) SetSection(name string) {
	r.section = name
}

// Next gives the next line that holds words, or false after the last line of the last file.
func (r *Reader) Next() (Line, bool) {
	for r.file < len(r.files) {
		if len(r.rest) == 0 {
			r.endFile()
			r.open(r.file + 1)
			continue
		}
		text, ok := r.cut()
		if !ok {
			continue
		}
		words, problem := splitWords(text, r.lookup)
		if problem != nil {
			r.alert("%s, at position %d:\n%s", problem.text, problem.at+1, excerpt(text, problem.at))
			continue
		}
		for len(words) > 0 && words[len(words)-1].Text == "" {
			words = words[:len(words)-1]
		}
		switch {
		case len(words) == 0:
		case strings.HasPrefix(words[0].Text, "."):
			r.directive(words)
		case r.skipping():
		case words[0].Text == "":
			r.tell(Notice, "line ignored, for its first word is empty")
		default:
			return Line{Pos: r.pos, Words: words}, true
		}
	}
	return Line{}, false
}

// open goes to the start of a file; past the last one there is nothing to read.
func (r *Reader) open(index int) {
	r.file, r.section, r.blocks = index, "", nil
	if index >= len(r.files) {
		return
	}
	r.rest, r.pos = r.files[index].Data, Pos{File: r.files[index].Name}
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(r.rest, mark) {
		r.rest = r.rest[len(mark):]
		r.pos.Line = 1
		r.alert("the file starts with a byte order mark; save it as UTF-8 without one")
		r.pos.Line = 0
	}
}

// endFile reports the blocks that the file leaves open.
func (r *Reader) endFile() {
	for i := len(r.blocks) - 1; i >= 0; i-- {
		r.pos.Line = r.blocks[i].line
		r.alert("this '.if' has no '.endif'")
	}
}

// cut takes the next line off the file, without its line end. A line that cannot be used is reported and dropped.
func (r *Reader) cut() (string, bool) {
	r.pos.Line++
	line, rest, complete := bytes.Cut(r.rest, []byte("\n"))
	r.rest = rest
	if at := bytes.IndexByte(line, 0); at >= 0 {
		r.alert("NUL character at position %d; the line is ignored", at+1)
		return "", false
	}
	if !complete {
		r.alert("the last line has no line feed at its end, at position %d: the file may have been cut off", len(line)+1)
	}
	return string(bytes.TrimRight(line, "\r")), true
}

// lookup finds a variable or pseudo-variable.
func (r *Reader) lookup(name string) (string, bool) {
	switch name {
	case ".FILE":
		return r.pos.File, true
	case ".LINE":
		return strconv.Itoa(r.pos.Line), true
	case ".SECTION":
		return r.section, true
	}
	return r.env.Lookup(name)
}

func (r *Reader) alert(format string, args ...any) {
	r.tell(Alert, fmt.Sprintf(format, args...))
}

func (r *Reader) tell(severity Severity, text string) {
	r.report(Diagnostic{Severity: severity, Pos: r.pos, Text: text})
}

// excerpt gives the part of a line around a byte, and a second line that points at it.
func excerpt(text string, at int) string {
	const before, after = 50, 20
	start := max(0, at-before)
	end := min(len(text), at+after)
	show := func(part string) string {
		return strings.Map(func(c rune) rune {
			switch {
			case c == '\t':
				return ' '
			case c == unicode.ReplacementChar || !unicode.IsPrint(c):
				return '?'
			}
			return c
		}, part)
	}
	head := show(text[start:at])
	return "  " + head + show(text[at:end]) + "\n  " + strings.Repeat(" ", len([]rune(head))) + "^"
}
