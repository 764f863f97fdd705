package device

import (
	"fmt"
	"runtime"

	"github.com/affine-go/affine/internal/cpu"
)

// processor is the Device that computes on the processor. It has no state: one
// value serves the whole program.
type processor struct{}

var (
	cpuFloat32 = &checked[float32]{new(cpu.Kernels[float32])}
	cpuFloat64 = &checked[float64]{new(cpu.Kernels[float64])}
)

func (processor) Name() string              { return "cpu" }
func (processor) Float32() Kernels[float32] { return cpuFloat32 }
func (processor) Float64() Kernels[float64] { return cpuFloat64 }
func (processor) Sync() error               { return nil }
func (processor) Close() error              { return nil }

// Description gives the instruction set and the threads, and why the set that
// the environment asked for is not the one in use.
func (processor) Description() string {
	set, threads := cpu.Features()
	text := fmt.Sprintf("%s/%s processor, %s kernels, threads: %d", runtime.GOOS, runtime.GOARCH, set, threads)
	if err := cpu.ForceError(); err != nil {
		text += " (" + err.Error() + ")"
	}
	return text
}

// KernelSet returns the instruction set alone.
func (processor) KernelSet() string {
	set, _ := cpu.Features()
	return set
}

// KeepAwake keeps a helper thread awake while calls follow each other within a
// millisecond.
func (processor) KeepAwake() { cpu.KeepAwake() }

// Warning tells of an AFFINE_CPU that could not be obeyed.
func (processor) Warning() error { return cpu.ForceError() }

func (processor) PeakFLOPS32(threads int) float64 { return cpu.PeakFLOPS32(threads) }
func (processor) PeakFLOPS64(threads int) float64 { return cpu.PeakFLOPS64(threads) }
