package balance

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// HashBytes hashes data as "hash-type" names it. sdbm, djb2, crc32 and the folded address of "balance source" (None) give
// what HAProxy 2.6 gives for the same bytes. wt6 and the avalanche have the same intent and other values.
func HashBytes(f Function, avalanche bool, data []byte) uint32 {
	var h uint32
	switch f {
	case SDBM:
		for _, c := range data {
			h = uint32(c) + h<<6 + h<<16 - h
		}
	case DJB2:
		h = 5381
		for _, c := range data {
			h = h*33 + uint32(c)
		}
	case WT6:
		h = rotating(data)
	case CRC32:
		h = ^uint32(0)
		for _, c := range data { // crc32.ChecksumIEEE would make data escape, an allocation per flow
			h = crc32.IEEETable[byte(h)^c] ^ h>>8
		}
		h = ^h
	case XXHash:
		h = xxh32(data)
	default:
		h = fold(data)
	}
	if avalanche {
		h = spread(h)
	}
	return h
}

// fold is the exclusive or of data's 32-bit words in network order; what is left over counts as a shorter number.
func fold(data []byte) (h uint32) {
	for len(data) >= 4 {
		h ^= binary.BigEndian.Uint32(data)
		data = data[4:]
	}
	var rest uint32
	for _, c := range data {
		rest = rest<<8 | uint32(c)
	}
	return h ^ rest
}

// spread is Bob Jenkins's 4-byte full avalanche (public domain, burtleburtle.net/bob/hash/integer.html): every bit of a
// decides about every bit of the result.
func spread(a uint32) uint32 {
	a = (a + 0x7ed55d16) + a<<12
	a = (a ^ 0xc761c23c) ^ a>>19
	a = (a + 0x165667b1) + a<<5
	a = (a + 0xd3a2646c) ^ a<<9
	a = (a + 0xfd7046c5) + a<<3
	return (a ^ 0xb55a4f09) ^ a>>16
}

// rotating mixes each byte into two halves that rotate by amounts taken from each other.
func rotating(data []byte) uint32 {
	a, b := uint32(0x9e3779b9), uint32(0x85ebca6b)
	for _, c := range data {
		a = bits.RotateLeft32(a^uint32(c), int(b>>27)|1) + b
		b = bits.RotateLeft32(b+uint32(c)*0xc2b2ae35, int(a>>27)|1) ^ a
	}
	return a ^ b
}

// xxh32 is XXH32 with seed 0 (the xxHash specification, version 0.1.1).
func xxh32(data []byte) uint32 {
	const p1, p2, p3, p4, p5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
	h, n := uint32(p5), uint32(len(data))
	if len(data) >= 16 {
		var lane [4]uint32
		lane[0], lane[1], lane[2], lane[3] = 606290984, p2, 0, 1640531535 // p1+p2 and 0-p1, modulo 2^32
		for ; len(data) >= 16; data = data[16:] {
			for k := range lane {
				lane[k] = bits.RotateLeft32(lane[k]+binary.LittleEndian.Uint32(data[4*k:])*p2, 13) * p1
			}
		}
		h = bits.RotateLeft32(lane[0], 1) + bits.RotateLeft32(lane[1], 7) +
			bits.RotateLeft32(lane[2], 12) + bits.RotateLeft32(lane[3], 18)
	}
	h += n
	for ; len(data) >= 4; data = data[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(data)*p3, 17) * p4
	}
	for _, c := range data {
		h = bits.RotateLeft32(h+uint32(c)*p5, 11) * p1
	}
	h ^= h >> 15
	h *= p2
	h ^= h >> 13
	h *= p3
	return h ^ h>>16
}

// mix is a bijection of 64 bits in which every bit decides about every other (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
