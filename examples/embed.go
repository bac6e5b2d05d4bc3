// Package examples holds configurations that run as they are, and the one of the demo as part of the program.
package examples

import _ "embed"

// Demo is demo.cfg.
//
//go:embed demo.cfg
var Demo []byte
