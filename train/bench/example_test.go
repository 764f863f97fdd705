package bench_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/train/bench"
)

// Times one layer both ways in turns. Ratios of one run are what to quote.
func ExampleRun() {
	cpu, err := device.Open("cpu")
	if err != nil {
		log.Fatal(err)
	}
	layer := bench.Case{Op: bench.Linear, Dtype: "float32", Batch: 32, In: 16, Out: 8, Device: "cpu"}
	fused, builtin := layer, layer
	fused.Impl, builtin.Impl = "fused", "builtin"
	report, err := bench.Run(context.Background(), []bench.Case{fused, builtin}, bench.Options{Device: cpu, Samples: 5, Sample: time.Millisecond}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range report.Cases {
		fmt.Println(r.Shape(), r.Impl, r.NsPerOp > 0)
	}
	// Output:
	// linear float32 32×16×8 fused true
	// linear float32 32×16×8 builtin true
}
