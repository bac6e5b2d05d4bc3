package lb

import (
	"fmt"
	"io"
	"strings"
)

// writeUsage writes what "sluice -h" shows: every flag, and which of HAProxy's flags do nothing or come later.
func writeUsage(w io.Writer) {
	writeVersion(w)
	fmt.Fprint(w, "Usage : sluice [-f FILE|DIR]... [flags] [-- FILE|DIR...]\n        sluice demo\n        sluice top [flags] [ADDRESS]\n")
	var idle, missing []string
	for _, flag := range commandFlags {
		switch flag.help {
		case withoutEffect:
			idle = append(idle, flag.name)
		case comesLater:
			missing = append(missing, flag.name)
		default:
			fmt.Fprintf(w, "        %-14s %s\n", strings.TrimSpace(flag.name+" "+flag.argument), flag.help)
		}
	}
	fmt.Fprintf(w, "        %s : %s, for HAProxy's sake\n", strings.Join(idle, " "), withoutEffect)
	fmt.Fprintf(w, "        %s : an error for now, %s\n", strings.Join(missing, " "), comesLater)
}
