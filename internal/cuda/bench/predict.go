//go:build gpu

package main

import (
	"errors"
	"fmt"

	"github.com/affine-go/affine/internal/cudasim"
)

// An H100 (SXM), by NVIDIA's data sheet, and what a kernel of a captured step
// costs, an assumption.
const (
	kernelUS   = 1.5
	bandwidth  = 3.35e12 // bytes/s
	peak       = 67e12   // float32 operations/s
	efficiency = 0.6     // of the peak, that the own products are meant to reach
	processors = 132
	clock      = 1.755e9 // cycles/s
	// A step in one block: how many multiplications it does in a cycle, with both
	// factors from shared memory, and what a phase between two barriers takes at least.
	blockRate = 32
	phaseUS   = 0.3
	ringUS    = 1 // to fetch the numbers of the step from the host's memory
)

// predict prints what a step should take: the number of kernels, as the stand-in
// driver counts them, times what one costs, and the bytes and operations over what
// the card does of them in a second.
func (b *bench) predict() {
	fmt.Println("| case | kernels | launches, µs | bytes, µs | operations, µs | predicted, µs |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, name := range b.cases {
		c := b.counts[name]
		launches, moved, computed := kernelUS*float64(c.kernels), c.bytes/bandwidth*1e6, b.work[name]/(efficiency*peak)*1e6
		if c.kernels == 1 && c.layers > 0 {
			launches += ringUS
			// The begin, loads, a forward pass, act' and products of a layer, the loss,
			// the update, stores.
			computed = b.work[name]/2/blockRate/clock*1e6 + phaseUS*float64(3*c.layers+5)
		}
		fmt.Printf("| %s | %d | %.1f | %.1f | %.1f | %.0f |\n", name, c.kernels, launches, moved, computed, launches+moved+computed)
	}
}

// counts is what the prediction of a case is made of.
type counts struct {
	kernels, layers int
	bytes           float64
}

// count takes four steps, of which the last is replayed, and counts its kernels.
func (b *bench) count(name string, flops float64, c counts, step func() error) error {
	if !b.only.MatchString(name) {
		return nil
	}
	if !cudasim.Present() {
		return errors.New("kernels are counted by the stand-in driver: see internal/cudasim")
	}
	kernels := func() int { return cudasim.Get("kernels") + cudasim.Get("products") }
	for range 4 {
		before := kernels()
		if err := b.device.Step(step); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := b.device.Sync(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.kernels = kernels() - before
	}
	b.cases = append(b.cases, name)
	b.work[name], b.counts[name] = flops, c
	return nil
}
