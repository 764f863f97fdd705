//go:build gpu

package device

import (
	"fmt"

	"github.com/affine-go/affine/internal/cuda"
)

// card is a CUDA card.
type card struct {
	*cuda.Device
	float32 *checked[float32]
	float64 *checked[float64]
}

func newCard(d *cuda.Device) *card {
	return &card{d, &checked[float32]{cuda.NewKernels[float32](d)}, &checked[float64]{cuda.NewKernels[float64](d)}}
}

var (
	_ Stepper         = (*card)(nil)
	_ PrecisionSetter = (*card)(nil)
	_ Inspector       = (*card)(nil)
)

func (c *card) Name() string              { return fmt.Sprintf("cuda:%d", c.Number()) }
func (c *card) Float32() Kernels[float32] { return c.float32 }
func (c *card) Float64() Kernels[float64] { return c.float64 }

func (c *card) Sync() error  { return c.wrap("sync", c.Device.Sync()) }
func (c *card) Close() error { return c.wrap("close", c.Device.Close()) }

func (c *card) Losses(dst []float64) ([]float64, error) {
	dst, err := c.Device.Losses(dst)
	return dst, c.wrap("losses", err)
}

func (c *card) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", c.Name(), what, err)
}

func (c *card) Details() ([]Detail, error) {
	info, err := c.Info()
	if err != nil {
		return nil, c.wrap("details", err)
	}
	gib := func(bytes int64) float64 { return float64(bytes) / (1 << 30) }
	return []Detail{
		{"memory", fmt.Sprintf("%.1f of %.1f GiB free", gib(info.FreeBytes), gib(info.TotalBytes))},
		{"driver", "up to " + info.Driver},
		{"kernels", info.Kernels},
		{"cublasLt", info.CublasLt},
	}, nil
}
