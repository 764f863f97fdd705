package blas_test

import (
	"fmt"

	affineblas "github.com/affine-go/affine/layer/blas"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// With one line more, Gorgonia's built-in ops multiply with this module's
// kernels.
func ExampleImplementation() {
	gorgonia.Use(affineblas.Implementation{})
	defer gorgonia.Use(gonum.Implementation{})

	g := gorgonia.NewGraph()
	x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithValue(tensor.New(tensor.WithShape(1, 2), tensor.WithBacking([]float32{1, 2}))))
	w := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithValue(tensor.New(tensor.WithShape(2, 2), tensor.WithBacking([]float32{1, 2, 3, 4}))))
	y := gorgonia.Must(gorgonia.Mul(x, w))
	machine := gorgonia.NewTapeMachine(g)
	defer machine.Close()
	fmt.Println(machine.RunAll(), y.Value().Data())
	// Output: <nil> [7 10]
}

// So do gonum's matrices and their decompositions.
func ExampleImplementation_gonum() {
	blas64.Use(affineblas.Implementation{})
	defer blas64.Use(gonum.Implementation{})

	a := mat.NewDense(2, 2, []float64{2, 1, 1, 3})
	var product, inverse mat.Dense
	product.Mul(a, a.T())
	err := inverse.Inverse(a)
	fmt.Println(product.RawMatrix().Data, err)
	fmt.Printf("%.1f\n", inverse.RawMatrix().Data)
	// Output:
	// [5 5 5 10] <nil>
	// [0.6 -0.2 -0.2 0.4]
}

func ExampleImplementation_Sgemm() {
	a := []float32{1, 2, 3, 4, 5, 6} // 2×3
	c := []float32{1, 1, 1, 1}       // 2×2
	affineblas.Implementation{}.Sgemm(blas.NoTrans, blas.Trans, 2, 2, 3, 1, a, 3, a, 3, 10, c, 2)
	fmt.Println(c) // A·Aᵀ + 10·C
	// Output: [24 42 42 87]
}
