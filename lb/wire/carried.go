package wire

import "encoding/binary"

// Carried finds, in a version 2 header that Decode has accepted, the unique id, the authority (the host name that the
// client asked for) and the name of the client's network namespace that the sender attached. They are parts of b; nil where there is
// none, and in any other header.
func Carried(b []byte) (uniqueID, authority, namespace []byte) {
	h, size, err := Decode(b)
	if err != nil || h.Version != 2 || h.Local || h.Unknown {
		return nil, nil, nil
	}
	addresses := [...]int{familyUnspec: 0, familyIPv4: ipv4Size, familyIPv6: ipv6Size, familyUnix: unixSize}
	family := b[len(signatureV2)+1] >> 4
	for rest := b[fixedSize+addresses[family] : size]; len(rest) > 0; {
		length := int(binary.BigEndian.Uint16(rest[1:]))
		value := rest[3 : 3+length]
		switch rest[0] {
		case typeUniqueID:
			uniqueID = value
		case typeAuthority:
			authority = value
		case typeNamespace:
			namespace = value
		}
		rest = rest[3+length:]
	}
	return uniqueID, authority, namespace
}
