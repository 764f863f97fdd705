package optim_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// everyOptimizer lists each kind with all of its moments in use.
var everyOptimizer = map[string]func() (*optim.Optimizer, error){
	"sgd":      func() (*optim.Optimizer, error) { return optim.NewSGD(optim.WithLR(0.1)) },
	"momentum": func() (*optim.Optimizer, error) { return optim.NewSGD(optim.WithLR(0.05), optim.WithMomentum(0.9)) },
	"nesterov": func() (*optim.Optimizer, error) {
		return optim.NewSGD(optim.WithLR(0.05), optim.WithMomentum(0.9), optim.WithNesterov())
	},
	"adam":    func() (*optim.Optimizer, error) { return optim.NewAdam(optim.WithLR(0.02)) },
	"adamw":   func() (*optim.Optimizer, error) { return optim.NewAdamW(optim.WithLR(0.02)) },
	"rmsprop": func() (*optim.Optimizer, error) { return optim.NewRMSprop() },
	"centered": func() (*optim.Optimizer, error) {
		return optim.NewRMSprop(optim.WithLR(0.005), optim.WithCentered(), optim.WithMomentum(0.5))
	},
	"lion":    func() (*optim.Optimizer, error) { return optim.NewLion(optim.WithLR(0.005)) },
	"amsgrad": func() (*optim.Optimizer, error) { return optim.NewAdam(optim.WithLR(0.02), optim.WithAMSGrad()) },
	"adagrad": func() (*optim.Optimizer, error) {
		return optim.NewAdagrad(optim.WithLR(0.1), optim.WithLRDecay(0.01), optim.WithInitialAccumulator(0.1))
	},
}

// forEveryOptimizer runs a test for each kind and dtype.
func forEveryOptimizer(t *testing.T, test func(t *testing.T, dt tensor.Dtype, make func() *optim.Optimizer)) {
	for name, make := range everyOptimizer {
		for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
			t.Run(fmt.Sprint(name, "/", dt), func(t *testing.T) {
				test(t, dt, func() *optim.Optimizer {
					o, err := make()
					nettest.Must(t, err)
					return o
				})
			})
		}
	}
}

func TestEveryOptimizerTrainsInEveryMachineAlike(t *testing.T) {
	forEveryOptimizer(t, func(t *testing.T, dt tensor.Dtype, make func() *optim.Optimizer) {
		const count = 25
		dims := []int{2, 8, 2}
		ours := nettest.NewNetwork(t, dt, 8, dims...).Differentiate(t)
		m, params := ours.Machine(t)
		got := nettest.Steps(t, count, m, make(), params.ValueGrads(), ours.Loss)

		tape := nettest.NewNetwork(t, dt, 8, dims...).Differentiate(t)
		vm := gorgonia.NewTapeMachine(tape.Graph, gorgonia.BindDualValues(tape.Learnables...))
		inTape := nettest.Steps(t, count, vm, make(), gorgonia.NodesToValueGrads(tape.Learnables), tape.Loss)

		lisp := nettest.NewNetwork(t, dt, 8, dims...)
		optimizer := make()
		var inLisp []float64
		for range count { // a LispMachine adds to gradients that it is run again on
			nettest.Must(t, gorgonia.NewLispMachine(lisp.Graph).RunAll())
			inLisp = append(inLisp, nettest.Numbers(lisp.Loss.Value())[0])
			nettest.Must(t, optimizer.Step(gorgonia.NodesToValueGrads(lisp.Learnables)))
		}
		for i := range got {
			if got[i] != inTape[i] || got[i] != inLisp[i] {
				t.Fatalf("loss of step %d is %v, in a TapeMachine %v, in a LispMachine %v", i, got[i], inTape[i], inLisp[i])
			}
		}
		if first, last := got[0], got[count-1]; !(last < 0.9*first) {
			t.Errorf("loss went from %v to %v, want it to fall", first, last)
		}
	})
}

func TestStepZeroesTheGradients(t *testing.T) {
	forEveryOptimizer(t, func(t *testing.T, dt tensor.Dtype, make func() *optim.Optimizer) {
		l := newLearnable("w", dt, 3, 7)
		nettest.Must(t, make().Step(model(l)))
		for i, g := range nettest.Numbers(l.grad) {
			if g != 0 {
				t.Fatalf("gradient %d is %v after a step", i, g)
			}
		}
	})
}

func TestWeightDecayShrinksWeightsWithoutGradient(t *testing.T) {
	shrunk := func(o *optim.Optimizer, err error) (from, to float64) {
		nettest.Must(t, err)
		l := newLearnable("w", tensor.Float64, 1)
		from = nettest.Numbers(l.value)[0]
		for range 10 {
			l.grad = tensor.New(tensor.WithShape(1), tensor.Of(tensor.Float64))
			nettest.Must(t, o.Step(model(l)))
		}
		return from, nettest.Numbers(l.value)[0]
	}
	// SGD and AdamW: w ← (1 − lr·λ)·w, exactly.
	factor := math.Pow(1-0.1*0.5, 10)
	if from, to := shrunk(optim.NewSGD(optim.WithLR(0.1), optim.WithWeightDecay(0.5))); math.Abs(to-factor*from) > 1e-15 {
		t.Errorf("SGD: %v became %v, want %v", from, to, factor*from)
	}
	if from, to := shrunk(optim.NewAdamW(optim.WithLR(0.1), optim.WithWeightDecay(0.5))); math.Abs(to-factor*from) > 1e-15 {
		t.Errorf("AdamW: %v became %v, want %v", from, to, factor*from)
	}
	// Adam divides λw by its own size: each step goes lr, whatever λ.
	if from, to := shrunk(optim.NewAdam(optim.WithLR(0.01), optim.WithWeightDecay(0.5))); math.Abs(from-to-0.1) > 1e-2 {
		t.Errorf("Adam: %v became %v, want a way of about 0.1", from, to)
	}
	for name := range everyOptimizer {
		if name == "adamw" {
			continue
		}
		if from, to := shrunk(everyOptimizer[name]()); from != to {
			t.Errorf("%s without weight decay moved %v to %v without a gradient", name, from, to)
		}
	}
}

func TestScalarsAreLearnablesToo(t *testing.T) {
	forEveryOptimizer(t, func(t *testing.T, dt tensor.Dtype, make func() *optim.Optimizer) {
		vector := newLearnable("w", dt, 1)
		scalar := &learnable{name: "w"}
		if x := nettest.Numbers(vector.value)[0]; dt == tensor.Float32 {
			scalar.value = gorgonia.NewF32(float32(x))
		} else {
			scalar.value = gorgonia.NewF64(x)
		}
		a, b := make(), make()
		for step := range 5 {
			vector.grad = nettest.Waves(dt, float64(step), 1)
			if g := nettest.Numbers(vector.grad)[0]; dt == tensor.Float32 {
				scalar.grad = gorgonia.NewF32(float32(g))
			} else {
				scalar.grad = gorgonia.NewF64(g)
			}
			nettest.Must(t, a.Step(model(vector)))
			nettest.Must(t, b.Step(model(scalar)))
			if !nettest.SameNumbers(scalar.value, vector.value) {
				t.Fatalf("step %d: scalar is %v, vector of one %v", step, scalar.value, vector.value)
			}
			if nettest.Numbers(scalar.grad)[0] != 0 {
				t.Errorf("step %d: gradient of the scalar is %v", step, scalar.grad)
			}
		}
	})
}

func TestAViewIsUpdatedWhereItLies(t *testing.T) {
	all := nettest.Waves(tensor.Float64, 1, 4, 3)
	before := all.Clone().(*tensor.Dense)
	rows, err := all.Slice(gorgonia.S(1, 3))
	nettest.Must(t, err)
	l := &learnable{name: "rows", value: rows.(*tensor.Dense), grad: nettest.Waves(tensor.Float64, 2, 2, 3)}
	nettest.Must(t, nettest.NewSGD(t).Step(model(l)))
	for i, x := range all.Float64s() {
		if inside := i >= 3 && i < 9; (x != before.Float64s()[i]) != inside {
			t.Errorf("element %d went from %v to %v", i, before.Float64s()[i], x)
		}
	}
}

func TestStepRefusesWhatItCannotUpdate(t *testing.T) {
	const f64, f32 = 0, 1
	dts := []tensor.Dtype{tensor.Float64, tensor.Float32}
	transposed := func() *tensor.Dense {
		d := nettest.Waves(tensor.Float64, 1, 3, 2)
		nettest.Must(t, d.T())
		return d
	}
	columns := func() *tensor.Dense {
		v, err := nettest.Waves(tensor.Float64, 1, 2, 6).Slice(nil, gorgonia.S(0, 3))
		nettest.Must(t, err)
		return v.(*tensor.Dense)
	}
	shared := nettest.Waves(tensor.Float64, 1, 2, 3)
	good := func(i int) *learnable { return newLearnable("good", dts[i], 2, 3) }
	with := func(change func(l *learnable)) *learnable {
		l := newLearnable("bad", tensor.Float64, 2, 3)
		change(l)
		return l
	}
	for _, c := range []struct {
		name  string
		model []gorgonia.ValueGrad
		says  []string
	}{
		{"no value", model(good(f64), with(func(l *learnable) { l.value = nil })), []string{"1 (bad)", "no value"}},
		{"no gradient", model(good(f64), with(func(l *learnable) { l.grad = nil })), []string{"1 (bad)", "gradient", "no value"}},
		{"integers", model(with(func(l *learnable) {
			l.value = tensor.New(tensor.WithBacking([]int{1, 2}))
		})), []string{"0 (bad)", "int", "float32 or float64"}},
		{"gradient of another dtype", model(with(func(l *learnable) { l.grad = good(f32).grad })), []string{"gradient", "float32", "float64"}},
		{"gradient of another shape", model(with(func(l *learnable) { l.grad = nettest.Waves(tensor.Float64, 1, 3, 2) })), []string{"gradient", "(3, 2)", "(2, 3)"}},
		{"transposed weights", model(with(func(l *learnable) { l.value = transposed() })), []string{"(2, 3)", "strides", "row-major"}},
		{"transposed gradient", model(with(func(l *learnable) { l.grad = transposed() })), []string{"gradient", "strides", "row-major"}},
		{"weights with gaps", model(with(func(l *learnable) { l.value = columns() })), []string{"strides [6 1]", "contiguous"}},
		{"one gradient for two", model(with(func(l *learnable) { l.grad = shared }), with(func(l *learnable) { l.grad = shared })),
			[]string{"0 (bad)", "1 (bad)", "share", "NewParams"}},
		{"one learnable twice", model(with(func(l *learnable) { l.value = shared }), with(func(l *learnable) { l.value = shared })),
			[]string{"learnable 1", "learnable 0", "shares"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			read := func() (all [][]float64) {
				for _, l := range c.model {
					if v := l.Value(); v != nil {
						all = append(all, slices.Clone(nettest.Numbers(v)))
					}
				}
				return all
			}
			before, o := read(), nettest.NewSGD(t)
			nettest.Fails(t, o.Step(c.model), append(c.says, "sgd step")...)
			if after := read(); !reflect.DeepEqual(before, after) {
				t.Errorf("weights went from %v to %v", before, after)
			}
			if o.Steps() != 0 {
				t.Errorf("%d steps were counted", o.Steps())
			}
		})
	}
}

func TestLaterStepsWantTheSameLearnables(t *testing.T) {
	a, b := newLearnable("a", tensor.Float64, 2, 3), newLearnable("b", tensor.Float64, 2, 3)
	o, err := optim.NewAdam()
	nettest.Must(t, err)
	nettest.Must(t, o.Step(model(a, b)))
	nettest.Fails(t, o.Step(model(a)), "1 learnables", "2")
	nettest.Fails(t, o.Step([]gorgonia.ValueGrad{a, nil}), "learnable 1 is nil")
	nettest.Fails(t, nettest.NewSGD(t).Step([]gorgonia.ValueGrad{a, nil}), "learnable 1 is nil")
	nettest.Fails(t, o.Step(model(b, a)), "0 (b)", "position 1")
	nettest.Fails(t, o.Step(model(a, newLearnable("c", tensor.Float64, 2, 3))), `"c"`, `"b"`)
	nettest.Fails(t, o.Step(model(a, newLearnable("b", tensor.Float64, 3, 2))), "(3, 2)", "(2, 3)")
	nettest.Fails(t, o.Step(model(a, newLearnable("b", tensor.Float32, 2, 3))), "float32", "float64")
	nettest.Must(t, o.Step(model(a, b)))
}

func TestMomentsStayWithALearnableThatGetsANewValue(t *testing.T) {
	forEveryOptimizer(t, func(t *testing.T, dt tensor.Dtype, make func() *optim.Optimizer) {
		a, b := newLearnable("w", dt, 2, 3), newLearnable("w", dt, 2, 3)
		oa, ob := make(), make()
		for step := range 6 {
			a.grad, b.grad = nettest.Waves(dt, float64(step), 2, 3), nettest.Waves(dt, float64(step), 2, 3)
			if step == 3 {
				b.value = b.value.(*tensor.Dense).Clone().(*tensor.Dense)
			}
			nettest.Must(t, oa.Step(model(a)))
			nettest.Must(t, ob.Step(model(b)))
		}
		if !nettest.SameNumbers(a.value, b.value) {
			t.Errorf("got %v, want %v", b.value, a.value)
		}
	})
}

func TestLearningRateCanChangeBetweenSteps(t *testing.T) {
	o := nettest.NewSGD(t)
	l := newLearnable("w", tensor.Float64, 1)
	for _, lr := range []float64{0.5, 0, 0.25} {
		o.SetLR(lr)
		if got := o.LR(); got != lr {
			t.Errorf("learning rate is %v, want %v", got, lr)
		}
		l.grad = tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{2}))
		want := nettest.Numbers(l.value)[0] - 2*lr
		nettest.Must(t, o.Step(model(l)))
		if got := nettest.Numbers(l.value)[0]; got != want {
			t.Errorf("lr %v: w is %v, want %v", lr, got, want)
		}
	}
	for _, lr := range []float64{-1, math.NaN(), math.Inf(1)} {
		o.SetLR(lr)
		nettest.Fails(t, o.Step(model(l)), "learning rate", fmt.Sprint(lr))
	}
}

func TestOptimizersAllocateNothingPerStep(t *testing.T) {
	forEveryOptimizer(t, func(t *testing.T, dt tensor.Dtype, make func() *optim.Optimizer) {
		o, list := make(), model(newLearnable("W", dt, 16, 16), newLearnable("b", dt, 16))
		if got := testing.AllocsPerRun(20, func() { nettest.Must(t, o.Step(list)) }); got != 0 {
			t.Errorf("%v allocations a step, want none", got)
		}
	})
}

func TestNewOptimizerKnowsItsNames(t *testing.T) {
	for _, name := range optim.Names() {
		o, err := optim.New(name)
		nettest.Must(t, err)
		if o.Name() != name {
			t.Errorf("NewOptimizer(%q) is called %q", name, o.Name())
		}
	}
	_, err := optim.New("sgdm")
	nettest.Fails(t, err, `"sgdm"`, "sgd, adam, adamw, rmsprop, adagrad, lion")
}

func TestDefaultsArePyTorchs(t *testing.T) {
	for name, want := range map[string]string{
		"sgd":     "sgd(lr=0.001, momentum=0, dampening=0, weight_decay=0, nesterov=false)",
		"adam":    "adam(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0)",
		"adamw":   "adamw(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01)",
		"rmsprop": "rmsprop(lr=0.01, momentum=0, alpha=0.99, eps=1e-08, centered=false, weight_decay=0)",
		"adagrad": "adagrad(lr=0.01, lr_decay=0, eps=1e-10, weight_decay=0, initial_accumulator_value=0)",
		"lion":    "lion(lr=0.0001, betas=(0.9, 0.99), weight_decay=0)", // the paper's
	} {
		o, err := optim.New(name)
		nettest.Must(t, err)
		if got := o.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestOptionsOutOfRangeAreErrors(t *testing.T) {
	for _, c := range []struct {
		optimizer string
		opts      []optim.Option
		says      []string
	}{
		{"sgd", []optim.Option{optim.WithLR(-1)}, []string{"new sgd", "lr", "-1"}},
		{"sgd", []optim.Option{optim.WithLR(math.NaN())}, []string{"lr", "NaN"}},
		{"sgd", []optim.Option{optim.WithMomentum(-0.5)}, []string{"momentum", "-0.5"}},
		{"sgd", []optim.Option{optim.WithDampening(math.Inf(1))}, []string{"dampening", "+Inf"}},
		{"sgd", []optim.Option{optim.WithNesterov()}, []string{"nesterov", "momentum"}},
		{"sgd", []optim.Option{optim.WithNesterov(), optim.WithMomentum(0.9), optim.WithDampening(0.1)}, []string{"nesterov", "dampening"}},
		{"sgd", []optim.Option{optim.WithDevice(nil)}, []string{"device", "nil"}},
		{"adam", []optim.Option{optim.WithBetas(0.9, 1)}, []string{"betas", "(0.9, 1)", "[0, 1)"}},
		{"adam", []optim.Option{optim.WithEps(-1e-8)}, []string{"eps", "-1e-08"}},
		{"adam", []optim.Option{optim.WithWeightDecay(math.Inf(1))}, []string{"weight_decay", "+Inf"}},
		{"rmsprop", []optim.Option{optim.WithAlpha(-1)}, []string{"alpha", "-1"}},
		{"adagrad", []optim.Option{optim.WithLRDecay(-1)}, []string{"lr_decay", "-1"}},
		{"adagrad", []optim.Option{optim.WithInitialAccumulator(-1)}, []string{"initial_accumulator_value", "-1"}},
		// An option of another optimizer is not ignored.
		{"adam", []optim.Option{optim.WithMomentum(0.9)}, []string{"no momentum", "lr, device, betas, eps, weight_decay"}},
		{"adagrad", []optim.Option{optim.WithCentered()}, []string{"no centered"}},
		{"sgd", []optim.Option{optim.WithBetas(0.9, 0.99)}, []string{"no betas"}},
	} {
		_, err := optim.New(c.optimizer, c.opts...)
		nettest.Fails(t, err, c.says...)
	}
}
