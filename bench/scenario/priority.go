package scenario

import "github.com/sluice-lb/sluice/bench/load"

// priorities are about queues in which some are before others.
var priorities = []Scenario{{
	Name: "queue-priority", Title: "maxconn 1, 50 clients in the queue, every other one urgent",
	Why:  "How long does somebody urgent wait while others do? Both come equally often. Times are whole ones: connect, wait, request, close.",
	Load: load.Spec{Kind: load.ConnectRequestClose, Connections: 50, PerTarget: true}, Unit: Connection, ServerMaxConn: 1, Priorities: true,
	Main: []string{"urgent_p99", "urgent_mean", "patient_p99", "patient_mean", "time"}, Rounds: 5,
}}
