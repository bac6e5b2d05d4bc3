package config

// AddressOptions says which forms of address a keyword takes. The zero value takes one host without a port.
type AddressOptions struct {
	AllowPort      bool // "host:port"; a bare host stays allowed
	RequirePort    bool // a port that is not 0 must be there (not for unix, abstract and inherited ones)
	AllowRange     bool // "host:80-90"
	AllowOffset    bool // "host:+10", "host:-10"
	AllowInherited bool // fd@N
	AllowUnix      bool // unix@, abns@ and absolute paths
}

// ParseAddresses reads a comma-separated list.
func ParseAddresses(text string, o AddressOptions) ([]Address, error) { return nil, nil }

// ParseAddress reads one address.
func ParseAddress(text string, o AddressOptions) (Address, error) { return Address{}, nil }

// String gives a text that ParseAddress reads back as the same value.
func (a Address) String() string { return "" }
