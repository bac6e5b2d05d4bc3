package config

import "strings"

// maxBlocks is how deep .if blocks may be nested, as in HAProxy.
const maxBlocks = 100

// block is an .if that is not closed yet.
type block struct {
	line  int
	state blockState
	last  bool // .else has been seen
}

// blockState says what happens to the lines of a block.
type blockState uint8

const (
	taking  blockState = iota // they are read
	seeking                   // they are skipped; a later branch may be read
	done                      // they are skipped up to .endif
)

// skipping tells whether the lines that follow are skipped. An .if within skipped lines is done at once, so the
// innermost block knows.
func (r *Reader) skipping() bool {
	return len(r.blocks) > 0 && r.blocks[len(r.blocks)-1].state != taking
}

// directive obeys a line whose first word starts with a dot.
func (r *Reader) directive(words []Word) {
	switch name := words[0].Text; name {
	case ".if":
		r.beginBlock(words)
	case ".elif", ".else":
		r.nextBranch(words)
	case ".endif":
		r.refuseArguments(words)
		if len(r.blocks) == 0 {
			r.alert("'.endif' without '.if'")
			return
		}
		r.blocks = r.blocks[:len(r.blocks)-1]
	default:
		if r.skipping() {
			return
		}
		if severity, found := messages[name]; found {
			r.message(severity, words)
			return
		}
		r.alert("unknown directive '%s'%s", name, didYouMean(name, directives))
	}
}

var messages = map[string]Severity{".diag": Diag, ".notice": Notice, ".warning": Warning, ".alert": Alert}

var directives = []string{".if", ".elif", ".else", ".endif", ".diag", ".notice", ".warning", ".alert"}

func (r *Reader) beginBlock(words []Word) {
	state := done
	if !r.skipping() {
		state = r.branch(words)
	}
	r.blocks = append(r.blocks, block{line: r.pos.Line, state: state})
	if len(r.blocks) == maxBlocks+1 {
		r.alert("more than %d nested '.if'", maxBlocks)
	}
}

func (r *Reader) nextBranch(words []Word) {
	name := words[0].Text
	if name == ".else" {
		r.refuseArguments(words)
	}
	if len(r.blocks) == 0 {
		r.alert("'%s' without '.if'", name)
		return
	}
	current := &r.blocks[len(r.blocks)-1]
	if current.last {
		r.alert("'%s' after the '.else' of its '.if' in line %d", name, current.line)
		return
	}
	current.last = name == ".else"
	switch {
	case current.state != seeking:
		current.state = done
	case name == ".else":
		current.state = taking
	default:
		current.state = r.branch(words)
	}
}

// branch evaluates the condition of .if or .elif. One that cannot be evaluated skips all branches, for whichever was
// read might give complaints that mean nothing.
func (r *Reader) branch(words []Word) blockState {
	met, err := Evaluate(joinWords(words[1:]), r.env)
	switch {
	case err != nil:
		r.alert("'%s': %v", words[0].Text, err)
		return done
	case met:
		return taking
	}
	return seeking
}

// message reports what .notice and its like say: one word.
func (r *Reader) message(severity Severity, words []Word) {
	text := ""
	if len(words) > 1 {
		text = words[1].Text
	}
	if len(words) > 2 {
		r.alert("'%s' takes one argument; put the message in quotes", words[0].Text)
		return
	}
	r.tell(severity, "'"+text+"'")
}

func (r *Reader) refuseArguments(words []Word) {
	if len(words) > 1 {
		r.alert("'%s' takes no argument, but '%s' follows", words[0].Text, words[1].Text)
	}
}

// joinWords gives the expression that a condition's words make up: the quotes of the line are gone, and what was
// between words is one space.
func joinWords(words []Word) string {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = word.Text
	}
	return strings.Join(texts, " ")
}
