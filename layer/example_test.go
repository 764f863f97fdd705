package layer_test

import (
	"fmt"
	"log"

	"github.com/affine-go/affine/layer"
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
