package compare_test

import (
	"context"
	"fmt"
	"log"

	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/compare"
)

func ExampleRun() {
	c := train.DefaultConfig("moons", nil)
	c.Dtype = "float64"
	r, err := compare.Run(context.Background(), c, 50, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Steps, "steps, losses equal up to rounding:", r.MaxAbsLossDiff < 1e-12)
	fmt.Println("fewer nodes:", r.Fused.Nodes < r.Builtin.Nodes)
	// Output:
	// 50 steps, losses equal up to rounding: true
	// fewer nodes: true
}
