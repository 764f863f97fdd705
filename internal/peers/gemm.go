package main

import (
	"math/rand/v2"
	"runtime"
	"time"

	affineblas "github.com/affine-go/affine/layer/blas"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/netlib/blas/netlib"
)

// fullBLAS has both precisions.
type fullBLAS interface {
	blas.Float32
	blas.Float64
}

// multiplier is a peer that multiplies matrices with a BLAS, without a graph.
type multiplier struct {
	group, variant string
	blas           fullBLAS
	blasThreads    int // for OpenBLAS
	products       []func()
}

// multipliers lists this module's BLAS, gonum's and OpenBLAS.
func multipliers() []peer {
	peers := []peer{
		&multiplier{group: groupAffine, blas: affineblas.Implementation{}},
		&multiplier{group: groupGonum, blas: gonum.Implementation{}},
	}
	for n := range runtime.GOMAXPROCS(0) {
		peers = append(peers, &multiplier{group: groupOpenBLAS, variant: threads(n + 1), blas: netlib.Implementation{}, blasThreads: n + 1})
	}
	return peers
}

func (p *multiplier) Group() string   { return p.group }
func (p *multiplier) Variant() string { return p.variant }
func (p *multiplier) Finish() error   { p.products = nil; return nil }

// Prepare makes the products of the case. The checks are sums of squares.
func (p *multiplier) Prepare(c benchCase) (checks []float64, err error) {
	setOpenBLASThreads(p.blasThreads)
	for _, s := range c.shapes() {
		a, b := values(seedX, s.m*s.k, 1), values(seedW, s.k*s.n, 1)
		lda, ldb := s.k, s.n
		if s.tA == blas.Trans {
			lda = s.m
		}
		if s.tB == blas.Trans {
			ldb = s.k
		}
		var sum float64
		if c.Op == "sgemm" {
			result := make([]float32, s.m*s.n)
			run := func() { p.blas.Sgemm(s.tA, s.tB, s.m, s.n, s.k, 1, a, lda, b, ldb, 0, result, s.n) }
			run()
			for _, v := range result {
				sum += float64(v) * float64(v)
			}
			p.products = append(p.products, run)
		} else {
			a, b, result := doubles(a), doubles(b), make([]float64, s.m*s.n)
			run := func() { p.blas.Dgemm(s.tA, s.tB, s.m, s.n, s.k, 1, a, lda, b, ldb, 0, result, s.n) }
			run()
			for _, v := range result {
				sum += v * v
			}
			p.products = append(p.products, run)
		}
		checks = append(checks, sum)
	}
	return checks, nil
}

func doubles(x []float32) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = float64(x[i])
	}
	return y
}

func (p *multiplier) Time(runs int) (time.Duration, error) {
	setOpenBLASThreads(p.blasThreads)
	all := func(times int) {
		for range times {
			for _, product := range p.products {
				product()
			}
		}
	}
	all(1 + runs/10)
	runtime.GC()
	start := time.Now()
	all(runs)
	return time.Since(start), nil
}

// shape is one product, op(A) m×k and op(B) k×n.
type shape struct {
	tA, tB  blas.Transpose
	m, n, k int
}

// shapes returns the products of a case: one of the given size, or 100 random
// ones of 16 to 1,000 rows, columns and terms, with and without transposes.
func (c benchCase) shapes() []shape {
	if c.Batch > 0 {
		return []shape{{blas.NoTrans, blas.NoTrans, c.Batch, c.Dims[1], c.Dims[0]}}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	side := func() int { return (8 + rng.IntN(8)) << (1 + rng.IntN(6)) }
	transpose := func() blas.Transpose { return []blas.Transpose{blas.NoTrans, blas.Trans}[rng.IntN(2)] }
	all := make([]shape, 100)
	for i := range all {
		all[i] = shape{transpose(), transpose(), side(), side(), side()}
	}
	return all
}
