// Package imports holds the test of which package may import which: imports_test.go has the table, and
// docs/ARCHITECTURE.md says why.
package imports
