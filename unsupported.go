//go:build !linux || !(amd64 || arm64)

// Without this file a build for another system would end in pages of undefined system calls. It imports nothing, and main.go
// is left out of such a build, so that the line below is the only complaint of "go build".
package main

var _ = sluice_runs_only_on_Linux_on_amd64_or_arm64
