package optim_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// gorgoniaSolvers lists each solver with all combinations of its options.
func gorgoniaSolvers() map[string]func() gorgonia.Solver {
	type option struct {
		name string
		opt  gorgonia.SolverOpt
	}
	batch, clip := option{"batch 4", gorgonia.WithBatchSize(4)}, option{"clip", gorgonia.WithClip(0.4)}
	l1, l2 := option{"L1", gorgonia.WithL1Reg(0.03)}, option{"L2", gorgonia.WithL2Reg(0.02)}
	eps, lr := option{"eps", gorgonia.WithEps(1e-3)}, option{"LR", gorgonia.WithLearnRate(0.02)}
	all := map[string]func() gorgonia.Solver{}
	combine := func(name string, make func(...gorgonia.SolverOpt) gorgonia.Solver, options ...option) {
		for set := range 1 << len(options) {
			var names []string
			var opts []gorgonia.SolverOpt
			for i, o := range options {
				if set>>i&1 == 1 {
					names, opts = append(names, o.name), append(opts, o.opt)
				}
			}
			all[name+"("+strings.Join(names, ", ")+")"] = func() gorgonia.Solver { return make(opts...) }
		}
	}
	combine("vanilla", func(o ...gorgonia.SolverOpt) gorgonia.Solver { return gorgonia.NewVanillaSolver(o...) },
		lr, batch, clip, l1, l2)
	combine("momentum", func(o ...gorgonia.SolverOpt) gorgonia.Solver { return gorgonia.NewMomentum(o...) },
		lr, batch, clip, l1, l2, option{"momentum", gorgonia.WithMomentum(0.7)}, option{"no momentum", gorgonia.WithMomentum(0)})
	combine("rmsprop", func(o ...gorgonia.SolverOpt) gorgonia.Solver { return gorgonia.NewRMSPropSolver(o...) },
		lr, clip, l2, eps, option{"rho", gorgonia.WithRho(0.9)}, batch, l1)
	combine("adam", func(o ...gorgonia.SolverOpt) gorgonia.Solver { return gorgonia.NewAdamSolver(o...) },
		lr, batch, clip, l1, l2, eps, option{"betas", func(s gorgonia.Solver) {
			gorgonia.WithBeta1(0.8)(s)
			gorgonia.WithBeta2(0.95)(s)
		}})
	combine("adagrad", func(o ...gorgonia.SolverOpt) gorgonia.Solver { return gorgonia.NewAdaGradSolver(o...) },
		lr, batch, clip, l1, l2, eps)
	// Odd values that Gorgonia takes.
	combine("vanilla going up", func(o ...gorgonia.SolverOpt) gorgonia.Solver {
		return gorgonia.NewVanillaSolver(append(o, gorgonia.WithLearnRate(-0.01))...)
	}, batch, l2)
	combine("adam with a batch below 1", func(o ...gorgonia.SolverOpt) gorgonia.Solver {
		return gorgonia.NewAdamSolver(append(o, gorgonia.WithBatchSize(0.5))...)
	}, l2, clip)
	combine("vanilla clipped to 0", func(o ...gorgonia.SolverOpt) gorgonia.Solver {
		return gorgonia.NewVanillaSolver(append(o, gorgonia.WithClip(0))...)
	}, batch)
	combine("rmsprop clipped to 0", func(o ...gorgonia.SolverOpt) gorgonia.Solver {
		return gorgonia.NewRMSPropSolver(append(o, gorgonia.WithClip(0))...)
	}, l2)
	return all
}

// descend takes steps on Σ a·(w − target)²/2 with noise on the gradient, and
// returns the weights. The learnables are a matrix, a vector and a scalar.
func descend(t *testing.T, s gorgonia.Solver, dt tensor.Dtype, from, to int, learnables []*learnable, listed ...int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 6))
	if listed == nil {
		listed = []int{0, 1, 2}
	}
	var list []gorgonia.ValueGrad
	for _, i := range listed {
		list = append(list, learnables[i])
	}
	for step := range to {
		for _, l := range learnables {
			w := nettest.Numbers(l.value)
			g := make([]float64, len(w))
			for i := range g {
				g[i] = float64(1+i%3)*(w[i]-math.Sin(float64(i))) + 0.5*rng.NormFloat64()
			}
			l.grad = valueOf(dt, g, l.value.Shape())
		}
		if step >= from {
			nettest.Must(t, s.Step(list))
		}
	}
}

// newLearnables returns a matrix, a vector and a scalar.
func newLearnables(dt tensor.Dtype) []*learnable {
	scalar := &learnable{name: "c", value: valueOf(dt, []float64{0.3}, nil)}
	return []*learnable{newLearnable("W", dt, 3, 7), newLearnable("b", dt, 5), scalar}
}

func valueOf(dt tensor.Dtype, x []float64, shape tensor.Shape) gorgonia.Value {
	if len(shape) == 0 {
		if dt == tensor.Float32 {
			return gorgonia.NewF32(float32(x[0]))
		}
		return gorgonia.NewF64(x[0])
	}
	if dt == tensor.Float64 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
	}
	y := make([]float32, len(x))
	for i := range x {
		y[i] = float32(x[i])
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(y))
}

// difference returns the largest difference, relative to weights above 1.
func difference(a, b []*learnable) (worst float64, where string) {
	for i := range a {
		x, y := nettest.Numbers(a[i].value), nettest.Numbers(b[i].value)
		for j := range x {
			if d := math.Abs(x[j]-y[j]) / math.Max(1, math.Abs(y[j])); !(d <= worst) {
				worst, where = d, fmt.Sprintf("%s[%d] is %v, with Gorgonia's %v", a[i].name, j, x[j], y[j])
			}
		}
	}
	return worst, where
}

func TestFromGorgoniaFollowsGorgoniasSolver(t *testing.T) {
	for name, solver := range gorgoniaSolvers() {
		for dt, tolerance := range map[tensor.Dtype]float64{tensor.Float64: 1e-10, tensor.Float32: 1e-5} {
			t.Run(fmt.Sprint(name, "/", dt), func(t *testing.T) {
				ours, err := optim.FromGorgonia(solver())
				nettest.Must(t, err)
				got, want := newLearnables(dt), newLearnables(dt)
				descend(t, ours, dt, 0, 100, got)
				descend(t, solver(), dt, 0, 100, want)
				if d, where := difference(got, want); !(d <= tolerance) {
					t.Errorf("after 100 steps %s", where)
				}
			})
		}
	}
}

func TestFromGorgoniaTakesALearnableTwiceAsGorgoniaDoes(t *testing.T) {
	for name, solver := range gorgoniaSolvers() {
		t.Run(name, func(t *testing.T) {
			ours, err := optim.FromGorgonia(solver())
			nettest.Must(t, err)
			got, want := newLearnables(tensor.Float64), newLearnables(tensor.Float64)
			descend(t, ours, tensor.Float64, 0, 100, got, 0, 1, 0, 2, 2)
			descend(t, solver(), tensor.Float64, 0, 100, want, 0, 1, 0, 2, 2)
			if d, where := difference(got, want); !(d <= 1e-10) {
				t.Errorf("after 100 steps %s", where)
			}
		})
	}
}

func TestFromGorgoniaResumesExactly(t *testing.T) {
	for name, solver := range gorgoniaSolvers() {
		t.Run(name, func(t *testing.T) {
			make := func() *optim.Optimizer {
				o, err := optim.FromGorgonia(solver())
				nettest.Must(t, err)
				return o
			}
			whole, parts := newLearnables(tensor.Float64), newLearnables(tensor.Float64)
			descend(t, make(), tensor.Float64, 0, 20, whole)
			first, second := make(), make()
			descend(t, first, tensor.Float64, 0, 10, parts)
			state, err := first.State()
			nettest.Must(t, err)
			nettest.Must(t, second.LoadState(state, model(parts...)))
			descend(t, second, tensor.Float64, 10, 20, parts)
			if d, where := difference(parts, whole); d != 0 {
				t.Errorf("stopped after 10 steps: %s", where)
			}
		})
	}
}

func TestFromGorgoniaReadsSettings(t *testing.T) {
	for _, c := range []struct {
		solver gorgonia.Solver
		want   string
	}{
		{gorgonia.NewVanillaSolver(), "gorgonia-vanilla(lr=0.001)"},
		{gorgonia.NewVanillaSolver(gorgonia.WithBatchSize(8), gorgonia.WithL1Reg(0.1)), "gorgonia-vanilla(lr=0.001, batch_size=8, l1=0.1)"},
		{gorgonia.NewMomentum(gorgonia.WithClip(3), gorgonia.WithL2Reg(0.2)), "gorgonia-momentum(lr=0.001, momentum=0.9, clip=3, l2=0.2)"},
		{gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.5)), "gorgonia-adam(lr=0.5, betas=(0.9, 0.999), eps=1e-08)"},
		{gorgonia.NewRMSPropSolver(gorgonia.WithRho(0.9), gorgonia.WithEps(0.1)), "gorgonia-rmsprop(lr=0.001, alpha=0.9, eps=0.1)"},
		{gorgonia.NewAdaGradSolver(gorgonia.WithLearnRate(0.5)), "gorgonia-adagrad(lr=0.001, eps=1e-08)"},
	} {
		o, err := optim.FromGorgonia(c.solver)
		nettest.Must(t, err)
		if got := o.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestFromGorgoniaRefusesWhatItWouldGetWrong(t *testing.T) {
	stepped := gorgonia.NewAdamSolver()
	nettest.Must(t, stepped.Step(model(newLearnable("w", tensor.Float64, 2))))
	for _, c := range []struct {
		name   string
		solver gorgonia.Solver
		says   []string
	}{
		{"nil", nil, []string{"nil"}},
		{"nil pointer", (*gorgonia.AdamSolver)(nil), []string{"nil"}},
		{"nil optimizer", (*optim.Optimizer)(nil), []string{"nil"}},
		{"AdamW", gorgonia.NewAdamW(), []string{"AdamW", "never changes the weights", "optim.NewAdamW"}},
		{"Barzilai-Borwein", gorgonia.NewBarzilaiBorweinSolver(), []string{"BarzilaiBorweinSolver", "float32", "optim.NewSGD"}},
		{"a stranger", stranger{}, []string{"stranger", "Gorgonia's"}},
		{"one that has taken steps", stepped, []string{"AdamSolver", "steps already", "before its first step"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := optim.FromGorgonia(c.solver)
			nettest.Fails(t, err, append(c.says, "from Gorgonia's")...)
		})
	}
}

type stranger struct{}

func (stranger) Step([]gorgonia.ValueGrad) error { return nil }

func TestFromGorgoniaReturnsAnOptimizerAsItIs(t *testing.T) {
	o := nettest.NewSGD(t)
	if got, err := optim.FromGorgonia(o); got != o || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFromGorgoniaRefusesOneGradientForTwoLearnables(t *testing.T) {
	o, err := optim.FromGorgonia(gorgonia.NewVanillaSolver())
	nettest.Must(t, err)
	a, b := newLearnable("a", tensor.Float64, 2), newLearnable("b", tensor.Float64, 2)
	b.grad = a.grad
	nettest.Fails(t, o.Step(model(a, b)), "share the memory of their gradients")
}
