// Package metrics tells Prometheus what the process counts.
//
// # The way of a scrape
//
//  1. The handler (handler.go) gives it one of a few places, and as long as Prometheus says that it will wait.
//  2. Its parameters (query.go) say which scopes and which families are wanted.
//  3. The snapshot (snapshot.go) walks once over the rows of "show stat" and keeps the numbers that families need of each.
//  4. One family after the other is filled (fill.go), encoded by Prometheus' own expfmt, and sent, in the memory of the one before.
//
// The names, labels and types that HAProxy's exporter has are in process.go, frontend.go, backend.go and server.go; those that begin
// with sluice_ are in own.go. docs/metrics.md lists all.
//
// # Contract
//
//   - Nothing here runs on a loop, and no lock is held while anything is sent.
//   - What is there is read anew for each scrape: the series of a server that was removed are not in the next one.
//   - Labels have names from the configuration, from the command line, or from a fixed list, and never anything that clients
//     send. So there are no more series than (names × families × their fixed lists).
//   - A number that is not known is NaN where HAProxy's is, so that both have the same series.
package metrics
