//go:build gpu

// Command card runs what notebook 05 says about a card, on the card or on the
// stand-in driver: see ../../card.sh.
package main

import (
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/affine-go/affine/layer/device"
	"github.com/affine-go/affine/notebooks/lesson"
)

func main() {
	log.SetFlags(0)
	card, err := device.Open("cuda")
	lesson.Check(err)
	defer card.Close()
	fmt.Println(card.Description())

	const rows, in, out = 50, 30, 20
	k := card.Float32()
	rng := rand.New(rand.NewPCG(1, 0))
	matrix := func(rows, cols int) device.Matrix[float32] {
		data := lesson.Must(k.Alloc(rows * cols))
		for i := range data {
			data[i] = float32(rng.NormFloat64())
		}
		return device.MatrixOf(data, rows, cols)
	}
	x, dz, dw := matrix(rows, in), matrix(rows, out), matrix(in, out)
	var none device.Matrix[float32]
	gradient := func() error { return k.LinearBackward(none, dw, nil, x, none, dz, none, device.Activation{}) }

	lesson.Check(gradient())
	lesson.Check(card.Sync())
	worst := 0.0
	for i := range in {
		for j := range out {
			sum := 0.0
			for n := range rows {
				sum += float64(x.Data[n*in+i]) * float64(dz.Data[n*out+j])
			}
			worst = max(worst, math.Abs(sum-float64(dw.Data[i*out+j])))
		}
	}
	lesson.AtMost("largest difference of the card's dW from three plain loops", worst, 1e-4)

	first := slices.Clone(dw.Data)
	steps := card.(device.Stepper)
	for range 5 { // the first submits and records, the others replay
		lesson.Check(steps.Step(gradient))
	}
	lesson.Check(card.Sync())
	lesson.True("a recorded step, replayed, gives the same bits", slices.Equal(first, dw.Data))
	for _, m := range []device.Matrix[float32]{x, dz, dw} {
		k.Free(m.Data)
	}
}
