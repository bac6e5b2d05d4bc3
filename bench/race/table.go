//go:build linux

package race

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Write writes a table, and below it what a reader should be suspicious about.
func Write(out io.Writer, rows []*Row) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "balancer\trecheck\tloops\tservers\tclients\trequests\tper second\tat risk per 1,000 (95%)\trequeued\tstuck per million (95%)\tstuck\tincidents\tlogged sQ\tlongest wait\t")
	for _, r := range rows {
		recheck, risk, requeued := "-", "-", "-"
		if r.Queue != nil {
			recheck = r.Recheck
		}
		if r.AtRiskPerThousand != nil {
			risk, requeued = estimated(*r.AtRiskPerThousand), fmt.Sprint(r.Queue.Requeued)
		}
		if r.Yields > 0 {
			recheck += ", yields"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d x %d\t%d\t%.0f\t%s\t%s\t%s\t%d\t%d\t%d\t%v\t\n", r.Balancer, recheck, r.Loops, r.Servers, r.Lanes, r.Clients,
			r.Requests, r.Rate, risk, requeued, estimated(r.StuckPerMillion), r.Stuck, r.Incidents, r.States["sQ"], r.Longest.Round(time.Millisecond/10))
	}
	w.Flush()
	for _, r := range rows {
		if doubts := r.doubts(); len(doubts) > 0 {
			fmt.Fprintf(out, "%s %s, %d loops: %s\n", r.Balancer, r.Recheck, r.Loops, strings.Join(doubts, "; "))
		}
	}
}

// estimated is a rate with its interval.
func estimated(rate [3]float64) string {
	return fmt.Sprintf("%.3g (%.3g to %.3g)", rate[0], rate[1], rate[2])
}

// doubts are reasons not to take the row at its word.
func (r *Row) doubts() []string {
	var list []string
	if r.OverLimit > 0 {
		list = append(list, fmt.Sprintf("a server had more connections than its maxconn %d times", r.OverLimit))
	}
	if r.Failed > 0 {
		list = append(list, fmt.Sprintf("%d requests failed otherwise: %v", r.Failed, r.Causes))
	}
	if r.Late > 0 {
		list = append(list, fmt.Sprintf("%d requests waited for timeout queue because their servers were slow", r.Late))
	}
	if logged := r.States["sQ"]; logged != r.Stuck+r.Late {
		list = append(list, fmt.Sprintf("clients saw %d requests end by timeout queue, the balancer logged %d", r.Stuck+r.Late, logged))
	}
	return list
}
