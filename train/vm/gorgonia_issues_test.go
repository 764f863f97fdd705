package vm_test

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The tests of this file show what a user of this module sees where a user of
// Gorgonia met the issue of that number, and the traps that real programs fell
// into.

// convnet is a convolution of float64 images with its cost and gradients.
func convnet(t testing.TB) (g *gorgonia.ExprGraph, k, w, cost *gorgonia.Node) {
	t.Helper()
	g = gorgonia.NewGraph()
	input := func(name string, seed float64, shape ...int) *gorgonia.Node {
		return gorgonia.NewTensor(g, tensor.Float64, len(shape), gorgonia.WithShape(shape...), gorgonia.WithName(name), gorgonia.WithValue(nettest.Waves(tensor.Float64, seed, shape...)))
	}
	x := input("x", 1, 4, 2, 10, 10)
	k, w = input("k", 2, 8, 2, 3, 3), input("w", 3, 8*5*5, 6)
	c := gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.Conv2d(x, k, tensor.Shape{3, 3}, []int{1, 1}, []int{1, 1}, []int{1, 1}))))
	p := gorgonia.Must(gorgonia.MaxPool2D(c, tensor.Shape{2, 2}, []int{0, 0}, []int{2, 2}))
	out := gorgonia.Must(gorgonia.Mul(gorgonia.Must(gorgonia.Reshape(p, tensor.Shape{4, 8 * 5 * 5})), w))
	cost = gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(out))))
	_, err := gorgonia.Grad(cost, k, w)
	nettest.Must(t, err)
	return g, k, w, cost
}

// gorgonia#378, convnet performance: the products of a convolution are computed
// by our kernels, with the line of the machine changed.
func TestGorgonia378ConvolutionsRunOnOurProduct(t *testing.T) {
	g, k, _, cost := convnet(t)
	m, err := vm.New(g, vm.BindDualValues(k))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	if !strings.Contains(m.Explain(), "fused: a matrix product") {
		t.Errorf("no product of ours in\n%s", m.Explain())
	}
	g, _, _, want := convnet(t)
	nettest.Must(t, gorgonia.NewTapeMachine(g).RunAll())
	near(t, "cost", cost.Value(), want.Value())
}

// gorgonia#376 and #537, the convolutional net on CUDA: the stock build of
// Gorgonia trains it, on the processor, and its gradients are not zero.
func TestGorgonia376And537ConvolutionalNetsHaveTheirGradients(t *testing.T) {
	g, k, w, _ := convnet(t)
	m, err := vm.New(g, vm.BindDualValues(k, w))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	g, wantK, wantW, _ := convnet(t)
	nettest.Must(t, gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(wantK, wantW)).RunAll())
	for _, n := range [][2]*gorgonia.Node{{k, wantK}, {w, wantW}} {
		got, err := n[0].Grad()
		nettest.Must(t, err)
		want, err := n[1].Grad()
		nettest.Must(t, err)
		near(t, "gradient of "+n[0].Name(), got, want)
		if nettest.Numbers(got)[0] == 0 && nettest.Numbers(got)[1] == 0 {
			t.Errorf("gradient of %s is zero", n[0].Name())
		}
	}
}

// gorgonia#345, prediction of one row after training with batches: a second
// graph for one row, whose nodes have the values of the first one's weights.
func TestGorgonia345OneRowIsPredictedAfterTrainingInBatches(t *testing.T) {
	p := newPlainWithoutGradients(t, gorgonia.Tanh)
	m, err := vm.ForTraining(p.cost, p.learnables...)
	nettest.Must(t, err)
	adam, err := optim.NewAdam(optim.WithLR(0.01))
	nettest.Must(t, err)
	g := gorgonia.NewGraph()
	x := matrix(g, "x", 1, 6)
	var shared gorgonia.Nodes
	for _, w := range p.learnables {
		shared = append(shared, gorgonia.NewTensor(g, tensor.Float64, w.Dims(), gorgonia.WithShape(w.Shape()...), gorgonia.WithName(w.Name()), gorgonia.WithValue(w.Value())))
	}
	h := gorgonia.Must(gorgonia.Tanh(gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(x, shared[0])), shared[1], nil, []byte{0}))))
	logits := gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.Mul(h, shared[2])), shared[3]))
	one, err := vm.New(g, vm.WithOutputs(logits))
	nettest.Must(t, err)
	for range 3 {
		nettest.Must(t, m.RunAll())
		nettest.Must(t, adam.Step(m.ValueGrads()))
	}
	nettest.Must(t, m.RunAll())
	data := nettest.Numbers(p.x.Value())
	nettest.Must(t, gorgonia.Let(x, tensor.New(tensor.WithShape(1, 6), tensor.WithBacking(data[12:18]))))
	nettest.Must(t, one.RunAll())
	want := tensor.New(tensor.WithShape(1, 3), tensor.WithBacking(append([]float64(nil), nettest.Numbers(p.logits.Value())[6:9]...)))
	near(t, "prediction of the third row", logits.Value(), want)
}

// gorgonia#344, how to save the weights: the values of the learnables are
// tensors that gob writes and reads; a machine goes on with what was read.
func TestGorgonia344WeightsAreSavedAndReadBack(t *testing.T) {
	p, q := newPlainWithoutGradients(t, gorgonia.Tanh), newPlainWithoutGradients(t, gorgonia.Tanh)
	m, err := vm.ForTraining(p.cost, p.learnables...)
	nettest.Must(t, err)
	sgd, err := optim.NewSGD(optim.WithLR(0.1))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	nettest.Must(t, sgd.Step(m.ValueGrads()))
	var file bytes.Buffer
	for _, w := range p.learnables {
		nettest.Must(t, gob.NewEncoder(&file).Encode(w.Value().(*tensor.Dense)))
	}
	for _, w := range q.learnables {
		var v tensor.Dense
		nettest.Must(t, gob.NewDecoder(&file).Decode(&v))
		nettest.Must(t, gorgonia.Let(w, &v))
	}
	n, err := vm.New(q.graph, vm.WithOutputs(q.cost))
	nettest.Must(t, err)
	nettest.Must(t, n.RunAll())
	nettest.Must(t, m.RunAll())
	near(t, "cost", q.cost.Value(), p.cost.Value())
}

// goList runs go list and returns its lines.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	nettest.Must(t, err)
	return strings.Fields(string(out))
}

// gorgonia#523, the panic about a moving garbage collector: this module's
// requirement picks a version that does not look at Go's version.
func TestGorgonia523TheRequirementPicksAVersionThatDoesNotPanic(t *testing.T) {
	got := goList(t, "-m", "-f", "{{.Version}}", "go4.org/unsafe/assume-no-moving-gc")[0]
	if want := "v0.0.0-20231121144256"; got < want {
		t.Errorf("the version is %s, want %s or later", got, want)
	}
}

// cu#66, cu v0.9.4, which Gorgonia asks for, does not build with the headers of
// CUDA 12: the default build does without cu, and a version is required that
// builds.
func TestCu66TheDefaultBuildNeedsNoCuda(t *testing.T) {
	packages := goList(t, "-deps", ".")
	if len(packages) < 50 || !slices.Contains(packages, "gorgonia.org/gorgonia") {
		t.Fatalf("go list finds %d packages, and not Gorgonia", len(packages))
	}
	for _, p := range packages {
		if strings.HasPrefix(p, "gorgonia.org/cu") {
			t.Errorf("%s is part of the default build", p)
		}
	}
	if got := goList(t, "-m", "-f", "{{.Version}}", "gorgonia.org/cu")[0]; got < "v0.9.6" {
		t.Errorf("the module requires cu %s, want v0.9.6 or later", got)
	}
}

// gorgonia#303, how to define a model as short as in Keras: one line a layer,
// which makes its weights, and Gorgonia's ops between them.
func TestGorgonia303AModelIsALineForEachLayer(t *testing.T) {
	g := gorgonia.NewGraph()
	x, y := matrix(g, "x", 8, 12), matrix(g, "y", 8, 3)
	letMatrix(t, x, 1)
	targets := make([]float64, 8*3)
	for i := range 8 {
		targets[i*3+i%4%3] = 1 // the rows of x all but repeat after four
	}
	nettest.Must(t, gorgonia.Let(y, tensor.New(tensor.WithShape(8, 3), tensor.WithBacking(targets))))

	out, learnables := x, gorgonia.Nodes{}
	dense := func(units int, opts ...layer.Option) {
		l, err := layer.NewLinear(g, out.Shape()[1], units, append(opts, layer.WithDtype(tensor.Float64), layer.WithName(fmt.Sprint("dense", len(learnables)/2)))...)
		nettest.Must(t, err)
		out, err = l.Fwd(out)
		nettest.Must(t, err)
		learnables = append(learnables, l.Learnables()...)
	}
	dense(32, layer.WithActivation(layer.ReLU))
	out = gorgonia.Must(gorgonia.Dropout(out, 0.2))
	dense(32, layer.WithActivation(layer.ReLU))
	out = gorgonia.Must(gorgonia.Dropout(out, 0.2))
	dense(3)
	cost, err := layer.SoftmaxCrossEntropy(out, y)
	nettest.Must(t, err)

	if len(learnables) != 6 {
		t.Fatalf("%d learnables, want a weight and a bias of three layers", len(learnables))
	}
	_, err = gorgonia.Grad(cost, learnables...)
	nettest.Must(t, err)
	training, err := vm.New(g, vm.BindDualValues(learnables...), vm.WithOutputs(cost))
	nettest.Must(t, err)
	evaluation, err := vm.New(g, vm.WithEvalMode(), vm.WithOutputs(cost))
	nettest.Must(t, err)
	loss := func() float64 {
		nettest.Must(t, evaluation.RunAll())
		return nettest.Numbers(cost.Value())[0]
	}
	before := loss()
	if again := loss(); again != before {
		t.Errorf("evaluation gives %v and then %v", before, again)
	}
	adam, err := optim.NewAdam(optim.WithLR(0.01))
	nettest.Must(t, err)
	for range 100 {
		nettest.Must(t, training.RunAll())
		nettest.Must(t, adam.Step(training.ValueGrads()))
	}
	if after := loss(); after > before/2 {
		t.Errorf("the loss goes from %v to %v", before, after)
	}
}

// gorgonia#576, a TapeMachine writes one op's result over another's: here every
// node keeps its value until the next run.
func TestGorgonia576NodesKeepTheirValues(t *testing.T) {
	for _, opts := range [][]vm.Option{nil, {vm.WithoutFusion()}} {
		g := gorgonia.NewGraph()
		a, b := matrix(g, "a", 9, 9), matrix(g, "b", 9, 9)
		letMatrix(t, a, 1)
		letMatrix(t, b, 2)
		square := gorgonia.Must(gorgonia.Square(a))
		sum := gorgonia.Must(gorgonia.Add(square, b))
		m, err := vm.New(g, opts...)
		nettest.Must(t, err)
		for range 2 {
			nettest.Must(t, m.RunAll())
			x, y := nettest.Numbers(a.Value()), nettest.Numbers(b.Value())
			for i := range x {
				if got := nettest.Numbers(square.Value())[i]; got != x[i]*x[i] {
					t.Fatalf("element %d of the square is %v, want %v", i, got, x[i]*x[i])
				}
				if got, want := nettest.Numbers(sum.Value())[i], float64(x[i]*x[i])+y[i]; got != want { // not fused, as the ops are not
					t.Fatalf("element %d of the sum is %v, want %v", i, got, want)
				}
			}
		}
	}
}

// gorgonia#549, goroutines that share weights: machines of several graphs read
// one weight tensor at the same time.
func TestGorgonia549GoroutinesShareWeights(t *testing.T) {
	w1, w2 := nettest.Waves(tensor.Float64, 1, 20, 30), nettest.Waves(tensor.Float64, 2, 12, 30)
	build := func() (cost *gorgonia.Node, learnables gorgonia.Nodes) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(16, 20), gorgonia.WithName("x"), gorgonia.WithValue(nettest.Waves(tensor.Float64, 3, 16, 20)))
		a := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(20, 30), gorgonia.WithName("w1"), gorgonia.WithValue(w1))
		b := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(12, 30), gorgonia.WithName("w2"), gorgonia.WithValue(w2))
		h := gorgonia.Must(gorgonia.Tanh(gorgonia.Must(gorgonia.Mul(x, a))))
		y := gorgonia.Must(gorgonia.Mul(h, gorgonia.Must(gorgonia.Transpose(b, 1, 0))))
		return gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(y)))), gorgonia.Nodes{a, b}
	}
	const count = 4
	costs := make(gorgonia.Nodes, count)
	machines := make([]*vm.Machine, count)
	for i := range machines {
		var learnables gorgonia.Nodes
		costs[i], learnables = build()
		var err error
		machines[i], err = vm.ForTraining(costs[i], learnables...)
		nettest.Must(t, err)
	}
	var all sync.WaitGroup
	errs := make([]error, count)
	for i, m := range machines {
		all.Go(func() {
			for range 50 {
				if err := m.RunAll(); err != nil {
					errs[i] = err
				}
			}
		})
	}
	all.Wait()
	for i := range machines {
		nettest.Must(t, errs[i])
		near(t, "cost", costs[i].Value(), costs[0].Value())
	}
}

// gorgonia#402, a net that does not learn: solver.Step returned an error that
// nobody looked at, as the machine bound no dual values. Here the gradients are
// found without them, ours and Gorgonia's solvers step, and the loss falls.
func TestGorgonia402TrainingWorksWithoutDualValues(t *testing.T) {
	p := newPlain(t, tensor.Float64, gorgonia.Rectify)
	m, err := vm.New(p.graph)
	nettest.Must(t, err)
	solver := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(0.01))
	var first, last float64
	for step := range 30 {
		nettest.Must(t, m.RunAll())
		last = nettest.Numbers(p.cost.Value())[0]
		if step == 0 {
			first = last
		}
		nettest.Must(t, solver.Step(gorgonia.NodesToValueGrads(p.learnables)))
	}
	if !(last < first/2) {
		t.Errorf("the loss goes from %v to %v", first, last)
	}
	// The other error that is easy to ignore: a batch of the wrong size.
	nettest.Fails(t, m.Let(p.x, nettest.Waves(tensor.Float64, 1, 5, 6)), "let", "x", "(8, 6)", "(5, 6)")
}

// gorgonia#569, Log rewrites the SoftMax that it is taken of. The node shows
// logarithms as on a TapeMachine; with WithProbabilities it keeps the value of
// its name, and the cost is the same.
func TestGorgonia569ASoftMaxKeepsItsValue(t *testing.T) {
	for _, dt := range []tensor.Dtype{tensor.Float32, tensor.Float64} {
		g := gorgonia.NewGraph()
		x := gorgonia.NewMatrix(g, dt, gorgonia.WithShape(4, 5), gorgonia.WithName("x"), gorgonia.WithValue(nettest.Waves(dt, 1, 4, 5)))
		softmax := gorgonia.Must(gorgonia.SoftMax(x, 1))
		cost := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Log(softmax))))
		var read gorgonia.Value
		gorgonia.Read(softmax, &read)
		_, err := gorgonia.Grad(cost, x)
		nettest.Must(t, err)
		plain, err := vm.New(g)
		nettest.Must(t, err)
		nettest.Must(t, plain.RunAll())
		want := nettest.Numbers(cost.Value())[0]
		m, err := vm.New(g, vm.BindDualValues(x), vm.WithProbabilities(softmax))
		nettest.Must(t, err)
		for range 2 {
			nettest.Must(t, m.RunAll())
			if got := nettest.Numbers(cost.Value())[0]; got != want {
				t.Errorf("cost is %v, want %v", got, want)
			}
			for _, v := range []gorgonia.Value{softmax.Value(), read} {
				for row := range 4 {
					sum := 0.0
					for _, p := range nettest.Numbers(v)[row*5:][:5] {
						sum += p
					}
					if math.Abs(sum-1) > 1e-6 {
						t.Errorf("row %d sums to %v, want 1", row, sum)
					}
				}
			}
		}
		_, err = vm.New(g, vm.WithProbabilities(x))
		nettest.Fails(t, err, "x", "not a SoftMax")
	}
}

// gorgonia.Log(1 + x) removes a node from the graph, after which Gorgonia finds
// others in wrong places.
func TestGraphsThatHaveLostANodeRun(t *testing.T) {
	build := func() (*gorgonia.ExprGraph, gorgonia.Nodes) {
		g := gorgonia.NewGraph()
		x := matrix(g, "x", 3, 4)
		letMatrix(t, x, 1)
		shifted := gorgonia.Must(gorgonia.Add(gorgonia.Must(gorgonia.Square(x)), gorgonia.NewConstant(1.0)))
		l := gorgonia.Must(gorgonia.Log(shifted))
		y := matrix(g, "y", 3, 4)
		letMatrix(t, y, 2)
		z := gorgonia.Must(gorgonia.HadamardProd(gorgonia.Must(gorgonia.Exp(y)), l))
		return g, gorgonia.Nodes{l, z}
	}
	g, got := build()
	m, err := vm.New(g, vm.WithOutputs(got...))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	for i, y := range nettest.Numbers(got[1].Value()) {
		x := math.Sin(1 + 1.7*float64(i))
		if want := math.Exp(math.Sin(2+1.7*float64(i))) * math.Log1p(x*x); math.Abs(y-want) > 1e-14 {
			t.Errorf("element %d is %v, want %v", i, y, want)
		}
	}
}

// Two learnables whose gradient is one value: a solver that zeroes it after the
// first would leave nothing for the second.
func TestSharedGradientsAreNeverZeroedForTheSecondLearnable(t *testing.T) {
	build := func() (g *gorgonia.ExprGraph, cost *gorgonia.Node, learnables gorgonia.Nodes) {
		g = gorgonia.NewGraph()
		x, v, w := matrix(g, "x", 4, 3), matrix(g, "v", 3, 5), matrix(g, "w", 3, 5)
		for i, n := range []*gorgonia.Node{x, v, w} {
			letMatrix(t, n, float64(i))
		}
		y, err := layer.Apply(x, gorgonia.Must(gorgonia.Add(v, w)), nil, layer.WithActivation(layer.Tanh))
		nettest.Must(t, err)
		cost = gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(y))))
		_, err = gorgonia.Grad(cost, v, w)
		nettest.Must(t, err)
		return g, cost, gorgonia.Nodes{v, w}
	}
	train := func(m gorgonia.VM, cost *gorgonia.Node, learnables gorgonia.Nodes) []float64 {
		return nettest.Steps(t, 10, m, gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5)), gorgonia.NodesToValueGrads(learnables), cost)
	}
	g, cost, learnables := build()
	want := train(gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(learnables...)), cost, learnables)
	for _, bind := range []bool{true, false} {
		g, cost, learnables := build()
		var opts []vm.Option
		if bind {
			opts = append(opts, vm.BindDualValues(learnables...))
		}
		m, err := vm.New(g, opts...)
		nettest.Must(t, err)
		got := train(m, cost, learnables)
		if math.Abs(got[9]-want[9]) > 1e-12*want[9] {
			t.Errorf("dual values %v: loss of the last step is %v, on a TapeMachine %v", bind, got[9], want[9])
		}
	}
	_, cost, learnables = build()
	m, err := vm.ForTraining(cost, learnables...)
	nettest.Must(t, err)
	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.5))
	for range 9 {
		nettest.Must(t, m.RunAll())
		nettest.Must(t, solver.Step(m.ValueGrads()))
	}
	nettest.Must(t, m.RunAll())
	if got := nettest.Numbers(cost.Value())[0]; math.Abs(got-want[9]) > 1e-12*want[9] {
		t.Errorf("ForTraining: loss of the last step is %v, on a TapeMachine %v", got, want[9])
	}
}

// A gradient that is a constant of Gorgonia's, shared by all graphs, must not be
// zeroed by a solver.
func TestSolversDoNotZeroGorgoniasConstants(t *testing.T) {
	for range 3 {
		g := gorgonia.NewGraph()
		w := gorgonia.NewScalar(g, tensor.Float64, gorgonia.WithName("w"), gorgonia.WithValue(2.0))
		cost := gorgonia.Must(gorgonia.Add(w, w))
		_, err := gorgonia.Grad(cost, w)
		nettest.Must(t, err)
		m, err := vm.New(g)
		nettest.Must(t, err)
		nettest.Must(t, m.RunAll())
		grad, err := w.Grad()
		nettest.Must(t, err)
		if got := nettest.Numbers(grad)[0]; got != 2 {
			t.Fatalf("gradient of w + w is %v, want 2", got)
		}
		nettest.Must(t, gorgonia.NewVanillaSolver().Step(gorgonia.NodesToValueGrads(gorgonia.Nodes{w})))
	}
}

// gorgonia.Grad a second time through the same nodes is silently wrong;
// ForTraining does not mind that it was called before.
func TestForTrainingAfterGradHasRightGradients(t *testing.T) {
	want, got := newPlain(t, tensor.Float64, gorgonia.Tanh), newPlain(t, tensor.Float64, gorgonia.Tanh)
	nettest.Must(t, gorgonia.NewTapeMachine(want.graph, gorgonia.BindDualValues(want.learnables...)).RunAll())
	m, err := vm.ForTraining(got.cost, got.learnables...)
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	for i, vg := range m.ValueGrads() {
		g, err := vg.Grad()
		nettest.Must(t, err)
		w, err := want.learnables[i].Grad()
		nettest.Must(t, err)
		near(t, want.learnables[i].Name(), g, w)
	}
}

// Tensordot of vectors gives a tensor with one element on a TapeMachine.
func TestTensordotGivesTheValueOfATapeMachine(t *testing.T) {
	g := gorgonia.NewGraph()
	a, b := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithName("a"), gorgonia.WithShape(2), gorgonia.WithInit(gorgonia.RangedFrom(2))),
		gorgonia.NewVector(g, tensor.Float64, gorgonia.WithName("b"), gorgonia.WithShape(2), gorgonia.WithInit(gorgonia.RangedFrom(21)))
	c := gorgonia.Must(gorgonia.Tensordot([]int{0}, []int{0}, a, b))
	m, err := vm.New(g)
	nettest.Must(t, err)
	for range 2 {
		nettest.Must(t, m.RunAll())
		if got, ok := c.Value().Data().([]float64); !ok || len(got) != 1 || got[0] != 108 {
			t.Errorf("value is %v of shape %v, want [108] of shape (1)", c.Value(), c.Value().Shape())
		}
	}
}

// What else programs do with a graph works around a Machine.
func TestGraphsCanBeUnboundAndDrawn(t *testing.T) {
	p := newPlain(t, tensor.Float64, gorgonia.Tanh)
	m, err := vm.New(p.graph, vm.BindDualValues(p.learnables...))
	nettest.Must(t, err)
	nettest.Must(t, m.RunAll())
	want := nettest.Numbers(p.cost.Value())[0]
	p.graph.UnbindAllNonInputs()
	nettest.Must(t, m.RunAll())
	if got := nettest.Numbers(p.cost.Value())[0]; got != want {
		t.Errorf("cost is %v, before the nodes were unbound %v", got, want)
	}
	if !strings.Contains(p.graph.ToDot(), "digraph") {
		t.Error("ToDot drew nothing")
	}
}
