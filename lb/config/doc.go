// Package config reads files in HAProxy's configuration language and gives a validated model of them.
//
// # From bytes to the model
//
//  1. [Reader] cuts the files into lines of words: quotes, backslashes, comments, environment variables, .if blocks and
//     messages (.notice, .warning, .alert, .diag) end here.
//  2. The section that a line belongs to looks its first word up in a keyword table and fills the model.
//     Durations, sizes and addresses are read by [ParseDuration], [ParseSize] and [ParseAddress].
//  3. When all files are read, what lines say about each other is checked, and what was left open gets its default.
//
// # What a caller may rely on
//
//   - All complaints of all files come in one run, in the order of the text, through a [Reporter]; nothing is ignored
//     without one. A configuration with an [Alert] must not be used.
//   - The package opens no file or socket, resolves no name, reads no clock and no environment: an [Env] is handed in.
//     The same input gives the same output.
//   - A model is only read once it is built, so loops share it without a lock. A Reader and its Env belong to one
//     goroutine.
//   - Time and memory are linear in the size of the files. The bounds: 100 nested .if blocks, 100 nested parentheses
//     and negations of a condition, 1 MiB that variables may add to a line. Lines, words and files may be of any length.
//
// # Where words differ from the manual
//
// The reader does what HAProxy 2.6 does, also where the manual's section 2.2 says otherwise: \$ outside of quotes and a
// backslash before a tab keep the backslash. It is stricter where HAProxy loses text without a word: after a carriage
// return in the middle of a line, after a NUL byte, and in "${LIST[*]}" of an empty list, which HAProxy takes for the
// end of the line and which here gives no word at all.
package config
