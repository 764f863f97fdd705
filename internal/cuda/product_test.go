//go:build gpu

package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/affine-go/affine/internal/cudasim"
	"github.com/affine-go/affine/internal/kernel"
)

// Products of every tile, whole and with edges, in one part and in several, are
// those of plain loops in float64.
func TestProductsOfEveryTile(t *testing.T) {
	for _, tile := range []tile{small, medium, large} {
		for _, shape := range [][3]int{{tile.rows, tile.cols, 64}, {tile.rows + 1, tile.cols + 3, 70}, {3, 2, 1}, {tile.rows, 5, 0}} {
			for _, splits := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s %v in %d", tile.name, shape, splits), func(t *testing.T) {
					testProducts[float32](t, tile, shape, splits, 1e-6)
					if tile != large {
						testProducts[float64](t, tile, shape, splits, 1e-14)
					}
				})
			}
		}
	}
}

func testProducts[T kernel.Float](t *testing.T, tile tile, shape [3]int, splits int, epsilon float64) {
	d := open(t)
	rng := rand.New(rand.NewPCG(1, uint64(shape[0])))
	random := func(n int) []T {
		data := alloc(t, d, make([]T, n)...)
		for i := range data {
			data[i] = T(rng.NormFloat64())
		}
		return data
	}
	m, n, k := shape[0], shape[1], shape[2]
	for _, form := range []form{forward, inputGrad, weightGrad} {
		for _, transposed := range []bool{false, true} {
			p := product[T]{form: form, transposed: transposed}
			switch form {
			case forward:
				p.n, p.in, p.out = m, k, n
			case inputGrad:
				p.n, p.in, p.out = m, n, k
			case weightGrad:
				p.n, p.in, p.out = k, m, n
			}
			a, b, y, saved, db := random(max(1, m*k)), random(max(1, k*n)), random(m*n), random(max(m*k, k*n, 1)), random(n)
			_, colsA, _, colsB := p.factors()
			put := func(data []T, stride int) place { return place{uint64(addressOf(data)), uint64(stride)} }
			p.a, p.b, p.y = put(a, max(1, colsA)), put(b, max(1, colsB)), put(y, n)
			if form == weightGrad && transposed {
				p.y.stride = uint64(m)
			}
			act, err := activationOf(kernel.Activation{Kind: kernel.Tanh})
			must(t, err)
			p.act = act
			if withAct := form != forward && transposed; withAct {
				p.saved = put(saved, colsA)
				if form == weightGrad {
					p.saved.stride = uint64(colsB)
				}
			} else if form != forward {
				p.act = activation{}
			}
			// Without sums and act', products take their fast way.
			if form == weightGrad && (m != tile.rows || transposed) {
				p.db = put(db, n)
			}
			c, err := d.begin()
			must(t, err)
			// As the second of two products: the first has no blocks.
			words := append(make([]uint64, productWords), p.words(c, tile, splits, 0)...)
			if tile == large {
				words = words[productWords:]
			}
			c.launch(kProducts[tile], typeOf[T](), tile.count(m, n)*splits, 1, words...)
			must(t, c.end())

			slope := func(i int) float64 { return 1 - float64(saved[i])*float64(saved[i]) }
			factorA := func(i, l int) float64 {
				at := i*colsA + l
				if form == weightGrad {
					at = l*colsA + i
				}
				if p.saved.addr != 0 && form == inputGrad {
					return float64(a[at]) * slope(at)
				}
				return float64(a[at])
			}
			factorB := func(l, j int) float64 {
				at := l*colsB + j
				if p.transB() {
					at = j*colsB + l
				}
				if p.saved.addr != 0 && form == weightGrad {
					return float64(b[at]) * slope(at)
				}
				return float64(b[at])
			}
			close := func(what string, got T, terms int, term func(l int) float64, f func(float64) float64) {
				t.Helper()
				want, size := 0.0, 1.0
				for l := range terms {
					v := term(l)
					want, size = want+v, size+math.Abs(v)
				}
				if want = f(want); !(math.Abs(float64(got)-want) <= 4*epsilon*size) {
					t.Fatalf("form %d, transposed %v: %s is %v, want %v", form, transposed, what, got, want)
				}
			}
			same := func(v float64) float64 { return v }
			final := same
			if form == forward {
				final = math.Tanh
			}
			for i := range m {
				for j := range n {
					at := i*n + j
					if form == weightGrad && transposed {
						at = j*m + i
					}
					close(fmt.Sprintf("(%d, %d)", i, j), y[at], k, func(l int) float64 { return factorA(i, l) * factorB(l, j) }, final)
				}
			}
			if p.db.addr != 0 {
				for j := range n {
					close(fmt.Sprintf("sum %d", j), db[j], k, func(l int) float64 { return factorB(l, j) }, same)
				}
			}
		}
	}
}

// The gradients of a layer take one launch.
func TestBackwardIsOneLaunch(t *testing.T) {
	standIn(t)
	d := open(t)
	x, w, dy, dx, dw, db := ones(t, d, 32, 16), ones(t, d, 16, 8), ones(t, d, 32, 8), ones(t, d, 32, 16), ones(t, d, 16, 8), ones(t, d, 1, 8)
	for _, act := range []kernel.Activation{{}, {Kind: kernel.ReLU}, {Kind: kernel.GELU}} {
		before := cudasim.Get("kernels")
		must(t, NewKernels[float32](d).LinearBackward(dx, dw, db.Data, x, w, dy, dy, act))
		if got := cudasim.Get("kernels") - before; got != 1 {
			t.Errorf("%v: %d launches, want 1", act.Kind, got)
		}
	}
}

// What the host has worked out of a kind of activation that the kernels lack.
func TestUnknownActivationIsAnError(t *testing.T) {
	d := open(t)
	x := ones(t, d, 2, 2)
	act := kernel.Activation{Kind: kernel.ActivationKind(kernel.ActivationKinds)}
	k := NewKernels[float32](d)
	for what, err := range map[string]error{
		"linear":              k.Linear(x, kernel.Matrix[float32]{}, x, x, nil, act),
		"linear backward":     k.LinearBackward(x, x, nil, x, x, x, x, act),
		"activate":            k.Activate(x.Data, x.Data, act),
		"activation backward": k.ActivationBackward(x.Data, x.Data, x.Data, act, 1),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	for kind := range kernel.ActivationKind(kernel.ActivationKinds) {
		if _, err := activationOf(kernel.Activation{Kind: kind}); err != nil {
			t.Error(err)
		}
	}
}
