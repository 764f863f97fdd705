package optim_test

import (
	"fmt"
	"strings"

	"github.com/affine-go/affine/train/optim"
	"gorgonia.org/gorgonia"
)

// A program keeps the solver that it makes, and its numbers.
func ExampleFromGorgonia() {
	solver, err := optim.FromGorgonia(gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(0.01), gorgonia.WithClip(5)))
	fmt.Println(solver, err)
	_, err = optim.FromGorgonia(gorgonia.NewAdamW())
	fmt.Println(err)
	// Output:
	// gorgonia-rmsprop(lr=0.01, alpha=0.999, eps=1e-08, clip=5) <nil>
	// optimizer from Gorgonia's: gorgonia.AdamW never changes the weights, since it multiplies a copy of them; take optim.NewAdamW
}

// Biases often go without weight decay.
func ExampleWithGroup() {
	biases := func(name string) bool { return strings.HasSuffix(name, ".bias") }
	o, err := optim.NewAdamW(optim.WithLR(1e-3), optim.WithGroup(biases, optim.WithWeightDecay(0)))
	fmt.Println(o, err)
	// Output: adamw(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01, groups=1) <nil>
}

func ExampleNewAdam() {
	w := gorgonia.NewF64(1) // any value and gradient
	o, err := optim.NewAdam(optim.WithLR(0.1))
	if err != nil {
		panic(err)
	}
	fmt.Println(o.Step([]gorgonia.ValueGrad{&learnable{name: "w", value: w, grad: gorgonia.NewF64(5)}}))
	fmt.Printf("%.4f after step %d\n", float64(*w), o.Steps())
	// Output:
	// <nil>
	// 0.9000 after step 1
}

// The learning rate is set before each step.
func ExampleSchedule() {
	schedule := optim.WarmupLR{From: 0.1, Steps: 2, Then: optim.CosineLR{LR: 1, Steps: 4}}
	for step := range 7 {
		fmt.Printf("%.2f ", schedule.At(step))
	}
	// Output: 0.10 0.55 1.00 0.85 0.50 0.15 0.00
}

func ExampleNew() {
	o, err := optim.New("sgd", optim.WithLR(0.1), optim.WithMomentum(0.9), optim.WithNesterov())
	fmt.Println(o, err)
	_, err = optim.New("adam", optim.WithMomentum(0.9))
	fmt.Println(err)
	// Output:
	// sgd(lr=0.1, momentum=0.9, dampening=0, weight_decay=0, nesterov=true) <nil>
	// new adam: there is no momentum, want lr, device, betas, eps, weight_decay, amsgrad, maximize, groups
}
