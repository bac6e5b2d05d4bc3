package config

// File is the text of one configuration file.
type File struct {
	Name string
	Data []byte
}

// Word is one word of a line, with quotes and escapes resolved.
type Word struct {
	Text   string
	Column int  // of its first byte in the file's line, from 1
	Quoted bool // some part of it stood in quotes
}

// Line is one line that holds words.
type Line struct {
	Pos   Pos
	Words []Word // at least one
}

// Reader gives the lines of files.
type Reader struct{}

// NewReader makes a reader of the files, in order.
func NewReader(files []File, env *Env, report Reporter) *Reader { return &Reader{} }

// Next gives the next line that holds words; false after the last.
func (r *Reader) Next() (Line, bool) { return Line{}, false }

// SetSection tells the reader what the pseudo-variable .SECTION is from now on.
func (r *Reader) SetSection(name string) {}
