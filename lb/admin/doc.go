// Package admin answers the operator: the runtime command line of "stats socket".
//
// # The way of a command
//
//  1. A [CLI] accepts connections on its sockets, each of which has a level, and gives each connection a goroutine. Nothing
//     here runs on a loop.
//  2. The reader (reader.go) cuts what comes into lines, commands, words and payloads.
//  3. The table (command.go) finds the command by its first words and looks whether the connection's level suffices.
//  4. The command writes its answer piece by piece (answer.go). A reader who is slow is waited for, up to "stats timeout"; no
//     answer is ever held in memory as a whole.
//
// # Contract
//
//   - What is known of the process comes from [Process], which package lb implements, and from lb/backend and lb/stats. Loops,
//     flows and sockets of the traffic are not known here.
//   - An answer has no empty line but the one that ends it.
//   - A line that has no end is not carried out: its rest may be missing.
//   - Serve what is to be served, then Close once: it ends all connections, without waiting for commands that a loop would
//     have to answer first.
//
// Columns, keywords and error texts are HAProxy's, because people's scripts match them; docs/operate.md tells where the
// meaning differs.
package admin
