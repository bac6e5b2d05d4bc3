package config

import (
	"slices"
	"strings"
)

// predicate is a function that a condition may call.
type predicate struct {
	arguments int // how many it takes
	evaluate  func(env *Env, arguments []string) (bool, error)
}

// predicates of HAProxy 2.6, and of later versions strstr and enabled.
var predicates = map[string]predicate{
	"defined": {1, func(env *Env, arguments []string) (bool, error) {
		_, found := env.Lookup(arguments[0])
		return found, nil
	}},
	"streq": {2, func(_ *Env, arguments []string) (bool, error) {
		return arguments[0] == arguments[1], nil
	}},
	"strneq": {2, func(_ *Env, arguments []string) (bool, error) {
		return arguments[0] != arguments[1], nil
	}},
	"strstr": {2, func(_ *Env, arguments []string) (bool, error) {
		return strings.Contains(arguments[0], arguments[1]), nil
	}},
	"feature": {1, func(_ *Env, arguments []string) (bool, error) {
		return slices.Contains(Features, arguments[0]), nil
	}},
	"enabled": {1, func(_ *Env, arguments []string) (bool, error) {
		return slices.Contains(enabledOptions, arguments[0]), nil
	}},
	"version_atleast": {1, func(_ *Env, arguments []string) (bool, error) {
		order, err := compareLanguage(arguments[0])
		return order >= 0, err
	}},
	"version_before": {1, func(_ *Env, arguments []string) (bool, error) {
		order, err := compareLanguage(arguments[0])
		return order < 0, err
	}},
}

var predicateNames = []string{"defined", "streq", "strneq", "strstr", "feature", "enabled", "version_atleast", "version_before"}

// Features are the names for which feature() is true: those of HAProxy's build options that describe something that
// sluice does too. All others are false, also such as POLL that HAProxy usually has.
var Features = []string{
	"ACCEPT4",      // accept4(2)
	"CPU_AFFINITY", // cpu-map
	"EPOLL",
	"LINUX_SPLICE", // option splice-auto and its like
	"LINUX_TPROXY", // source usesrc, transparent
	"NS",           // namespace
	"PRCTL",        // set-dumpable
	"PROMEX",       // http-request use-service prometheus-exporter
	"SYSTEMD",      // Type=notify
	"TFO",          // tfo
	"THREAD",       // nbthread
	"TPROXY",
}

// enabledOptions are the names for which enabled() is true. Of HAProxy's others, POLL, KQUEUE and EVPORTS name pollers that
// sluice has not, GETADDRINFO a resolver that it does not use.
var enabledOptions = []string{"EPOLL", "REUSEPORT", "SPLICE"}
