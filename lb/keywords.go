package lb

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluice-lb/sluice/lb/config"
)

// writeKeywords lists what a configuration may hold: the sections of a keyword, the keyword, its arguments.
func writeKeywords(w io.Writer) {
	for _, k := range config.Keywords() {
		note := ""
		switch k.Effect {
		case config.Later:
			note = " # accepted; not acted upon yet"
		case config.NoEffect:
			note = " # accepted; without effect"
		}
		fmt.Fprintf(w, "%s: %s%s\n", strings.Join(k.Sections.Names(), ","), strings.TrimSpace(k.Name+" "+k.Syntax), note)
	}
}
