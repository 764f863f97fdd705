//go:build gpu

package driver

// #include <stdlib.h>
// #include "cublaslt.h"
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
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
	Float64, TF32, BF16    bool // BF16: A and B are bfloat16
	TransposeA, TransposeB bool
	Epilogue               int
	M, N, K                int
	StrideA, StrideB       int
	StrideD                int
}

// LtPlan is one of cublasLt's ways to do a product.
type LtPlan struct {
	plan *C.affine_lt_plan
	// Workspace is how many bytes it takes.
	Workspace int
}

// ltPatterns are where cublasLt may lie, each with the newest version first: on
// the loader's path, among the packages of a Python environment, in the toolkit.
func ltPatterns() []string {
	const library = "libcublasLt.so.1[123]"
	patterns := []string{}
	for _, root := range []string{os.Getenv("VIRTUAL_ENV"), os.Getenv("CONDA_PREFIX"), filepath.Join(os.Getenv("HOME"), ".local"), "/usr/local", "/usr"} {
		if root == "" {
			continue
		}
		for _, packages := range []string{"site-packages", "dist-packages"} {
			patterns = append(patterns, filepath.Join(root, "lib", "python3*", packages, "nvidia", "*", "lib", library))
		}
		patterns = append(patterns, filepath.Join(root, "lib", library))
	}
	return append(patterns, "/usr/local/cuda/lib64/"+library, "/usr/local/cuda/targets/*/lib/"+library)
}

// ltCandidates returns the names to try, in order.
func ltCandidates() []string {
	if given := os.Getenv("AFFINE_CUBLASLT"); strings.Contains(given, "/") {
		return []string{given}
	}
	names := []string{"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"}
	for _, pattern := range ltPatterns() {
		found, _ := filepath.Glob(pattern) // fails for malformed patterns alone
		slices.Sort(found)
		slices.Reverse(found)
		names = append(names, found...)
	}
	return names
}

// ltLoaded is the library that this process has loaded.
var ltLoaded struct {
	sync.Mutex
	name string
}

// OpenLt loads a cublasLt that works with the card, and otherwise returns nil
// and why there is none. The context must be current.
func OpenLt() (*Lt, error) {
	if os.Getenv("AFFINE_CUBLASLT") == "0" {
		return nil, errors.New("AFFINE_CUBLASLT is 0")
	}
	ltLoaded.Lock()
	defer ltLoaded.Unlock()
	if ltLoaded.name != "" {
		return createLt(ltLoaded.name)
	}
	var failures []string
	for _, name := range ltCandidates() {
		c := C.CString(name)
		why := C.affine_lt_load(c)
		C.free(unsafe.Pointer(c))
		if why != nil {
			failures = append(failures, C.GoString(why))
			continue
		}
		l, err := createLt(name)
		if err == nil {
			ltLoaded.name = name
			return l, nil
		}
		failures = append(failures, err.Error())
	}
	return nil, errors.New(strings.Join(failures, "; "))
}

// createLt opens the library that was loaded.
func createLt(name string) (*Lt, error) {
	var handle unsafe.Pointer
	if status := C.affine_lt_create(&handle); status != 0 {
		return nil, fmt.Errorf("%s: cublasLtCreate failed with status %d", name, int(status))
	}
	v := int(C.affine_lt_version())
	// Versions are counted as 10000·major + 100·minor + patch, in older releases
	// as 1000·major + 100·minor + patch.
	major := 10000
	if v < 100000 {
		major = 1000
	}
	return &Lt{handle: handle, name: fmt.Sprintf("%s, version %d.%d.%d", name, v/major, v%major/100, v%100)}, nil
}

// Available reports whether there is a cublasLt.
func (l *Lt) Available() bool { return l != nil }

// String names the library and its version, and the products that it failed at.
func (l *Lt) String() string {
	if l == nil {
		return "none"
	}
	failed, status := 0, 0
	for _, p := range l.plans {
		if s := p.Failed(); s != 0 {
			failed, status = failed+1, s
		}
	}
	if failed > 0 {
		return fmt.Sprintf("%s; own kernels instead for %d products that it failed at, with status %d", l.name, failed, status)
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

// Plans asks cublasLt how it would do a product. It returns its ways to, those
// that it holds best first, or none.
func (l *Lt) Plans(k LtKey) []*LtPlan {
	truth := func(v bool) C.int32_t {
		if v {
			return 1
		}
		return 0
	}
	key := C.affine_lt_key{
		float64: truth(k.Float64), tf32: truth(k.TF32), bf16: truth(k.BF16),
		transposeA: truth(k.TransposeA), transposeB: truth(k.TransposeB),
		epilogue: C.int32_t(k.Epilogue), m: C.int64_t(k.M), n: C.int64_t(k.N), k: C.int64_t(k.K),
		lda: C.int64_t(k.StrideA), ldb: C.int64_t(k.StrideB), ldd: C.int64_t(k.StrideD),
	}
	var made [C.AFFINE_LT_CANDIDATES]*C.affine_lt_plan
	var workspaces [C.AFFINE_LT_CANDIDATES]C.size_t
	n := C.affine_lt_make(l.handle, &key, &made[0], &workspaces[0], C.int(len(made)))
	plans := make([]*LtPlan, n)
	for i := range plans {
		plans[i] = &LtPlan{plan: made[i], Workspace: int(workspaces[i])}
	}
	l.plans = append(l.plans, plans...)
	return plans
}

// Failed returns the status that the plan's product failed with, or 0. It is
// not tried again then.
func (p *LtPlan) Failed() int { return int(C.affine_lt_failed(p.plan)) }

// Work is the product of these operands, followed by rest. If cublasLt fails,
// instead is done in the place of all that.
func (p *LtPlan) Work(a, b, d, bias, workspace uint64, rest, instead []Work) []Work {
	w := Work{Kind: Product, Function: uint64(uintptr(unsafe.Pointer(p.plan)))}
	w.Args = [MaxArgs]uint64{a, b, d, bias, workspace, uint64(p.Workspace)}
	w.Args[C.AFFINE_PRODUCT_REST], w.Args[C.AFFINE_PRODUCT_INSTEAD] = uint64(len(rest)), uint64(len(instead))
	return slices.Concat([]Work{w}, rest, instead)
}
