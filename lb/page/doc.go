// Package page serves the operator's web page and what belongs beside it, over net/http, off the loops.
//
// # The way of a request
//
//  1. A [Server] accepts it on listeners that count, limit and can rest (listener.go), with the time limits of [Options].
//  2. A [Site] decides what is asked for (site.go): an address that says that the process is alive, metrics, or the page. The
//     page asks for a password first (auth.go), metrics of a statistics listener do not, as in HAProxy.
//  3. Answers are the page itself, which is one document without references to others (document.go); what the page shows, as
//     JSON (data.go); or what scripts ask for, which is what "show stat" answers (script.go).
//  4. A change comes as a POST of the page's own script (action.go) and is carried out as a command of the runtime command line,
//     so that there is one truth about what each does.
//
// # Contract
//
//   - What is known of the process comes from lb/admin. Loops, flows and sockets of the traffic are not known here.
//   - A change needs, in this order: the password, if there is one; a client that meets "stats admin"; a request that a browser
//     says is of this page's origin; the token that the page was given. What fails at the last two is counted, and told.
//   - No answer may be stored, framed, or refer to another host.
package page
