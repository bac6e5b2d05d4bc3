// Package demo is "sluice demo": the real balancer on the loopback interface, with the configuration of
// examples/demo.cfg, in front of three origins inside the same process, and a table of what went where.
//
// The order: the origins take any free ports; the configuration is read with these ports in its variables; the
// balancer opens its sockets and starts; once a second what has changed is printed, until SIGINT or SIGTERM. Nothing outlives
// [Main].
package demo
