package arch

import (
	"testing"
	"unsafe"
)

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		forced    string
		available []Set
		want      Set
		refused   bool
	}{
		{"", []Set{Generic}, Generic, false},
		{"", []Set{Generic, AVX2, AVX512}, AVX512, false},
		{"avx2", []Set{Generic, AVX2, AVX512}, AVX2, false},
		{"generic", []Set{Generic, AVX2}, Generic, false},
		{"avx512", []Set{Generic, AVX2}, AVX2, true},
		{"", []Set{Generic, NEON}, NEON, false},
		{"neon", []Set{Generic, NEON}, NEON, false},
		{"generic", []Set{Generic, NEON}, Generic, false},
		{"avx2", []Set{Generic, NEON}, NEON, true},
		{"neon", []Set{Generic, AVX2}, AVX2, true},
		{"sse", []Set{Generic, AVX2}, AVX2, true},
	} {
		got, err := choose(test.forced, test.available)
		if got != test.want || (err != nil) != test.refused {
			t.Errorf("AFFINE_CPU=%q with %v: %v, %v, want %v", test.forced, test.available, got, err, test.want)
		}
	}
}

func TestAllocStartsOnACacheLine(t *testing.T) {
	for n := range 40 {
		data := Alloc[float64](n + 1)
		if at := uintptr(unsafe.Pointer(&data[0])); at%CacheLine != 0 || len(data) != n+1 {
			t.Fatalf("%d elements at %#x", len(data), at)
		}
	}
}
