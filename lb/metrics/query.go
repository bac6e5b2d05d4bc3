package metrics

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// query is what a scrape asks for.
type query struct {
	scopes  [scopes]bool
	noMaint bool
	only    map[string]bool // names of families; nil: all
	without map[string]bool
}

// parseQuery reads the parameters as HAProxy does, in their order: "scope" may come several times, "*" is all of them, and an empty
// one is none and forgets those before it; "no-maint" leaves servers in maintenance out; "metrics" has names of families,
// separated by commas, with "-" before those to be left out. Others are for whoever is in front. An error is the client's.
func parseQuery(raw string) (*query, error) {
	q := &query{scopes: everything()}
	scoped := false
	for part := range strings.SplitSeq(raw, "&") {
		name, value, assigned := strings.Cut(part, "=")
		value, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		switch name {
		case "scope":
			if !assigned {
				return nil, fmt.Errorf("'scope' needs a value")
			}
			if !scoped {
				scoped, q.scopes = true, [scopes]bool{}
			}
			switch i := slices.Index(scopeNames[:], value); {
			case value == "":
				q.scopes = [scopes]bool{}
			case value == "*":
				q.scopes = everything()
			case value == "sticktable": // there are none yet
			case i < 0:
				return nil, fmt.Errorf("'scope' is one of *, %s and sticktable, not '%s'", strings.Join(scopeNames[:], ", "), value)
			default:
				q.scopes[i] = true
			}
		case "no-maint":
			q.noMaint = true
		case "metrics":
			for family := range strings.SplitSeq(value, ",") {
				if left, found := strings.CutPrefix(family, "-"); found {
					put(&q.without, left)
				} else if family != "" {
					put(&q.only, family)
				}
			}
		}
	}
	return q, nil
}

func put(set *map[string]bool, name string) {
	if *set == nil {
		*set = make(map[string]bool)
	}
	(*set)[name] = true
}

func everything() (all [scopes]bool) {
	for i := range all {
		all[i] = true
	}
	return all
}

// wants tells whether a family of a scope that is wanted is.
func (q *query) wants(family string) bool {
	return !q.without[family] && (q.only == nil || q.only[family])
}
