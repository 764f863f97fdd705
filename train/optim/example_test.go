package optim_test

import (
	"fmt"

	"github.com/affine-go/affine/train/optim"
)

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
