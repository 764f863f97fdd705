package vm_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// A Machine runs any graph of ops; values are read from the nodes.
func ExampleMachine() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(3), gorgonia.WithName("x"))
	y := gorgonia.Must(gorgonia.Square(x))
	m, err := vm.New(g, vm.WithOutputs(y))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	for _, data := range [][]float64{{1, 2, 3}, {4, 5, 6}} {
		if err := gorgonia.Let(x, tensor.New(tensor.WithBacking(data))); err != nil {
			log.Fatal(err)
		}
		if err := m.RunAll(); err != nil {
			log.Fatal(err)
		}
		fmt.Println(y.Value())
	}
	// Output:
	// [1  4  9]
	// [16  25  36]
}

// A layer is fitted to y = 2x + 1 with a Machine, Params and Adam.
func ExampleParams() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(4, 1), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float32{-1, 0, 1, 2}))))
	y := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(4, 1), gorgonia.WithName("y"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float32{-1, 1, 3, 5}))))
	linear, err := layer.NewLinear(g, 1, 1, layer.WithSeed(1))
	if err != nil {
		log.Fatal(err)
	}
	loss := gorgonia.Must(layer.MSE(gorgonia.Must(linear.Fwd(x)), y))

	grads, err := gorgonia.Grad(loss, linear.Learnables()...)
	if err != nil {
		log.Fatal(err)
	}
	params, err := vm.NewParams(linear.Learnables(), grads)
	if err != nil {
		log.Fatal(err)
	}
	m, err := vm.New(g, vm.WithOutputs(loss), vm.WithOutputs(params.Gradients()...))
	if err != nil {
		log.Fatal(err)
	}
	adam, err := optim.NewAdam(optim.WithLR(0.1))
	if err != nil {
		log.Fatal(err)
	}
	for range 300 {
		if err := m.RunAll(); err != nil {
			log.Fatal(err)
		}
		if err := adam.Step(params.ValueGrads()); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("y = %.2fx + %.2f\n", linear.Weight().Value().Data().([]float32)[0], linear.Bias().Value().Data().([]float32)[0])
	// Output: y = 2.00x + 1.00
}

// The line that makes a TapeMachine is changed; the model, the gradients and
// the solver stay. Explain says what became of the ops of the layer.
func ExampleNew() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(32, 8), gorgonia.WithName("x"), gorgonia.WithInit(gorgonia.RangedFrom(0)))
	w := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(8, 4), gorgonia.WithName("w"), gorgonia.WithInit(gorgonia.Zeroes()))
	b := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(4), gorgonia.WithName("b"), gorgonia.WithInit(gorgonia.Ones()))
	y := gorgonia.Must(gorgonia.Rectify(gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(x, w)), b, nil, []byte{0}))))
	cost := gorgonia.Must(gorgonia.Mean(y))
	if _, err := gorgonia.Grad(cost, w, b); err != nil {
		log.Fatal(err)
	}
	m, err := vm.New(g, vm.BindDualValues(w, b)) // was gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w, b))
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	if err := m.RunAll(); err != nil {
		log.Fatal(err)
	}
	grad, err := b.Grad()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cost.Value(), grad)
	for line := range strings.Lines(m.Explain()) {
		if _, what, ok := strings.Cut(line, ": fused: "); ok {
			fmt.Print(what)
		}
	}
	// Output:
	// 1 [0.25  0.25  0.25  0.25]
	// a linear layer, relu(X·W + b)
	// the gradient of relu
	// gradients dW, db of a linear layer
}

// A training loop in four lines.
func ExampleForTraining() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(4, 1), gorgonia.WithName("x"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float64{-1, 0, 1, 2}))))
	y := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithShape(4, 1), gorgonia.WithName("y"),
		gorgonia.WithValue(tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float64{-1, 1, 3, 5}))))
	linear, err := layer.NewLinear(g, 1, 1, layer.WithDtype(tensor.Float64), layer.WithSeed(1))
	if err != nil {
		log.Fatal(err)
	}
	out, err := linear.Fwd(x)
	if err != nil {
		log.Fatal(err)
	}
	cost, err := layer.MSE(out, y)
	if err != nil {
		log.Fatal(err)
	}

	m, err := vm.ForTraining(cost, linear.Learnables()...)
	if err != nil {
		log.Fatal(err)
	}
	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(0.2))
	for range 200 {
		if err := m.RunAll(); err != nil {
			log.Fatal(err)
		}
		if err := solver.Step(m.ValueGrads()); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Printf("y = %.3f x + %.3f\n", linear.Weight().Value().Data(), linear.Bias().Value().Data())
	// Output: y = [2.000] x + [1.000]
}
