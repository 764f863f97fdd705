//go:build gpu

package driver

// #include "cublaslt.h"
import "C"

import (
	"fmt"
	"os"
	"unsafe"
)

// LtAlignment is the alignment in bytes that operands of cublasLt must have here.
const LtAlignment = 16

// Epilogues of a product.
const (
	LtReLU     = 2
	LtBias     = 4
	LtBiasGrad = 256 // sums A over K into the bias, which is a result then
)

// Lt is cublasLt for one device. A nil Lt has no products.
type Lt struct {
	handle unsafe.Pointer
	name   string
	plans  []*LtPlan
}

// LtKey says what product is wanted, with columns first: D[M, N] = A[M, K]·B[K, N],
// a stride being the distance between columns in memory.
type LtKey struct {
	Float64, TF32          bool
	TransposeA, TransposeB bool
	Epilogue               int
	M, N, K                int
	StrideA, StrideB       int
	StrideD                int
}

// LtPlan is cublasLt's way to do a product.
type LtPlan struct {
	plan *C.affine_lt_plan
	// Workspace is how many bytes it takes.
	Workspace int
}

// OpenLt loads cublasLt, or returns nil where the machine has none or
// AFFINE_CUBLASLT is 0. The context must be current.
func OpenLt() *Lt {
	if os.Getenv("AFFINE_CUBLASLT") == "0" {
		return nil
	}
	name := C.affine_lt_open()
	if name == nil {
		return nil
	}
	handle := C.affine_lt_create()
	if handle == nil {
		return nil
	}
	v := int(C.affine_lt_version())
	// Versions are counted as 10000·major + 100·minor + patch, in older releases
	// as 1000·major + 100·minor + patch.
	major := 10000
	if v < 100000 {
		major = 1000
	}
	return &Lt{handle: handle, name: fmt.Sprintf("%s, version %d.%d.%d", C.GoString(name), v/major, v%major/100, v%100)}
}

// Available reports whether there is a cublasLt.
func (l *Lt) Available() bool { return l != nil }

// String names the library and its version.
func (l *Lt) String() string {
	if l == nil {
		return "none"
	}
	return l.name
}

// Close releases the plans and the handle. The context must be current.
func (l *Lt) Close() {
	if l == nil {
		return
	}
	for _, p := range l.plans {
		C.affine_lt_free(p.plan)
	}
	C.affine_lt_destroy(l.handle)
	l.plans = nil
}

// Plan asks cublasLt how it would do a product. It returns nil where it does not.
func (l *Lt) Plan(k LtKey) *LtPlan {
	truth := func(v bool) C.int32_t {
		if v {
			return 1
		}
		return 0
	}
	key := C.affine_lt_key{
		float64: truth(k.Float64), tf32: truth(k.TF32), transposeA: truth(k.TransposeA), transposeB: truth(k.TransposeB),
		epilogue: C.int32_t(k.Epilogue), m: C.int64_t(k.M), n: C.int64_t(k.N), k: C.int64_t(k.K),
		lda: C.int64_t(k.StrideA), ldb: C.int64_t(k.StrideB), ldd: C.int64_t(k.StrideD),
	}
	var workspace C.size_t
	plan := C.affine_lt_make(l.handle, &key, &workspace)
	if plan == nil {
		return nil
	}
	p := &LtPlan{plan: plan, Workspace: int(workspace)}
	l.plans = append(l.plans, p)
	return p
}

// Work is the product of these operands.
func (p *LtPlan) Work(a, b, d, bias, workspace uint64) Work {
	w := Work{Kind: Product, Function: uint64(uintptr(unsafe.Pointer(p.plan)))}
	w.Args = [MaxArgs]uint64{a, b, d, bias, workspace, uint64(p.Workspace)}
	return w
}
