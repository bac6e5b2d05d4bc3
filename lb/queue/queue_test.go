package queue

import (
	"testing"
)

func BenchmarkAdmitRelease(b *testing.B) {
	p := NewPool(2)
	s := p.NewServer(nil, 1, nil)
	s.Open(0)
	b.ReportAllocs()
	for b.Loop() {
		if !s.Admit() {
			b.Fatal("full")
		}
		s.Release(0)
	}
}
