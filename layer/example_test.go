package layer_test

import (
	"fmt"
	"log"

	"github.com/affine-go/affine/layer"
	"github.com/affine-go/affine/train/optim"
	"github.com/affine-go/affine/train/vm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

func matrix(rows, cols int, data ...float64) *tensor.Dense {
	return tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(data))
}

// One node replaces Mul, BroadcastAdd and Rectify of an existing model.
func ExampleApply() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("x"), gorgonia.WithShape(2, 2), gorgonia.WithValue(matrix(2, 2, 1, 2, 3, 4)))
	w := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("w"), gorgonia.WithShape(2, 1), gorgonia.WithValue(matrix(2, 1, 1, -1)))
	b := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithName("b"), gorgonia.WithShape(1), gorgonia.WithValue(tensor.New(tensor.WithShape(1), tensor.WithBacking([]float64{3}))))

	y, err := layer.Apply(x, w, b, layer.WithActivation(layer.ReLU))
	if err != nil {
		log.Fatal(err)
	}
	cost := gorgonia.Must(gorgonia.Sum(y))
	if _, err := gorgonia.Grad(cost, w, b); err != nil {
		log.Fatal(err)
	}
	m := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w, b))
	defer m.Close()
	if err := m.RunAll(); err != nil {
		log.Fatal(err)
	}
	dw, _ := w.Grad()
	db, _ := b.Grad()
	fmt.Println("Y ", y.Value().Data())
	fmt.Println("dW", dw.Data())
	fmt.Println("db", db.Data())
	// Output:
	// Y  [2 2]
	// dW [4 6]
	// db [2]
}

// A layer draws and owns its weights.
func ExampleNewLinear() {
	g := gorgonia.NewGraph()
	hidden, err := layer.NewLinear(g, 784, 64, layer.WithActivation(layer.GELU), layer.WithInit(layer.HeNormal), layer.WithSeed(1))
	if err != nil {
		log.Fatal(err)
	}
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName("x"), gorgonia.WithShape(32, 784))
	y, err := hidden.Fwd(x)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(hidden)
	fmt.Println(y.Shape(), hidden.Learnables())
	// Output:
	// linear1: Linear(in=784, out=64, bias=true, activation=gelu, dtype=float32, device=cpu)
	// (32, 64) [linear1.weight, linear1.bias]
}

func scalarLoss(loss func(pred, target *gorgonia.Node, opts ...layer.Option) (*gorgonia.Node, error), pred, target *tensor.Dense) {
	g := gorgonia.NewGraph()
	p := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("p"), gorgonia.WithShape(pred.Shape()...), gorgonia.WithValue(pred))
	t := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("t"), gorgonia.WithShape(target.Shape()...), gorgonia.WithValue(target))
	l, err := loss(p, t)
	if err != nil {
		log.Fatal(err)
	}
	m := gorgonia.NewTapeMachine(g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.4f\n", l.Value().Data())
}

// Logits come in as they are; targets are one distribution a row.
func ExampleSoftmaxCrossEntropy() {
	logits := matrix(2, 3, 2, 0, 0, 0, 1000, 0)
	targets := matrix(2, 3, 1, 0, 0, 0, 1, 0)
	scalarLoss(layer.SoftmaxCrossEntropy, logits, targets)
	// Output: 0.1198
}

func ExampleMSE() {
	scalarLoss(layer.MSE, matrix(2, 1, 1, 2), matrix(2, 1, 0, 4))
	// Output: 2.5000
}

func ExampleBinaryCrossEntropy() {
	scalarLoss(layer.BinaryCrossEntropy, matrix(2, 1, 0, 1000), matrix(2, 1, 0.5, 1))
	// Output: 0.3466
}

// Half of a layer's outputs are dropped, others in every step; an evaluation
// drops none.
func ExampleDropout() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("x"), gorgonia.WithShape(1, 6), gorgonia.WithValue(matrix(1, 6, 1, 1, 1, 1, 1, 1)))
	masks := layer.NewMasks(1)
	y, err := layer.Dropout(x, 0.5, masks)
	if err != nil {
		log.Fatal(err)
	}
	training, err := vm.New(g)
	if err != nil {
		log.Fatal(err)
	}
	defer training.Close()
	for step := range 2 {
		masks.Set(step, 0)
		if err := training.RunAll(); err != nil {
			log.Fatal(err)
		}
		fmt.Println(y.Value().Data())
	}
	evaluation, err := vm.New(g, vm.WithEvalMode())
	if err != nil {
		log.Fatal(err)
	}
	defer evaluation.Close()
	if err := evaluation.RunAll(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(y.Value().Data())
	// Output:
	// [2 2 2 0 0 0]
	// [0 2 0 2 2 2]
	// [1 1 1 1 1 1]
}

// A network is kept from being steep: the cost has the squared length of the
// gradient of its output by its input, and is differentiated through that.
func ExampleGrad() {
	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("x"), gorgonia.WithShape(4, 2), gorgonia.WithValue(matrix(4, 2, 0, 0, 0, 1, 1, 0, 1, 1)))
	targets := gorgonia.NewMatrix(g, tensor.Float64, gorgonia.WithName("targets"), gorgonia.WithShape(4, 1), gorgonia.WithValue(matrix(4, 1, 0, 1, 1, 0)))
	hidden, err := layer.NewLinear(g, 2, 8, layer.WithActivation(layer.Tanh), layer.WithDtype(tensor.Float64), layer.WithSeed(1))
	if err != nil {
		log.Fatal(err)
	}
	last, err := layer.NewLinear(g, 8, 1, layer.WithDtype(tensor.Float64), layer.WithSeed(1))
	if err != nil {
		log.Fatal(err)
	}
	out := gorgonia.Must(last.Fwd(gorgonia.Must(hidden.Fwd(x))))

	slope, err := layer.Grad(gorgonia.Must(gorgonia.Sum(out)), x)
	if err != nil {
		log.Fatal(err)
	}
	penalty := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(slope[0]))))
	cost := gorgonia.Must(gorgonia.Add(gorgonia.Must(layer.BinaryCrossEntropy(out, targets)),
		gorgonia.Must(gorgonia.Mul(penalty, gorgonia.NewConstant(0.05)))))

	learnables := append(hidden.Learnables(), last.Learnables()...)
	m, err := vm.ForTraining(cost, learnables...) // differentiates cost with layer.Grad
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	adam, err := optim.NewAdam(optim.WithLR(0.05))
	if err != nil {
		log.Fatal(err)
	}
	for step := range 201 {
		if err := m.RunAll(); err != nil {
			log.Fatal(err)
		}
		if step%100 == 0 {
			fmt.Printf("step %3d: cost %.3f\n", step, cost.Value().Data())
		}
		if err := adam.Step(m.ValueGrads()); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// step   0: cost 0.727
	// step 100: cost 0.022
	// step 200: cost 0.005
}
