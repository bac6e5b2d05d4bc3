// Package top is "sluice top": a live view of a running process in a terminal, over its stats socket.
//
// # The way of a picture
//
//  1. A [Client] asks the socket (client.go), one connection for each look, so that a process that was restarted is found again.
//  2. The answers become a sample (parse.go, row.go): the words of HAProxy's stats socket, and, where the process is sluice, its
//     "show loops" and "show queue".
//  3. The tracker (tracker.go) sets it beside the sample before: rates, and their history.
//  4. The model (model.go, keys.go, action.go) is the state of the screen. Keys and samples change it, one after the other; it
//     does nothing else, so that tests can play it.
//  5. The view (view.go, table.go, column.go, header.go, detail.go) is text made from the model alone.
//
// # Contract
//
//   - It knows the socket's language and nothing of the balancer: it works with HAProxy's socket too.
//   - It changes something only after the very command was shown and confirmed.
//   - Colours never carry a meaning alone, and NO_COLOR is obeyed.
package top
