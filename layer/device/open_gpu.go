//go:build gpu

package device

import (
	"fmt"

	"github.com/affine-go/affine/internal/cuda"
)

func openCUDA(n int) (Device, error) {
	d, err := cuda.Open(n)
	if err != nil {
		return nil, fmt.Errorf("open device cuda:%d: %w", n, err)
	}
	return newCard(d), nil
}

// Cards returns the number of CUDA cards that can be opened, or why there are none.
func Cards() (int, error) {
	n, err := cuda.Count()
	if err != nil {
		return 0, fmt.Errorf("count CUDA cards: %w", err)
	}
	return n, nil
}

// withoutCard is the processor where a card was looked for and not found.
type withoutCard struct {
	processor
	why error
}

func instead(why error) Device { return withoutCard{why: why} }

// Instead implements Fallback.
func (p withoutCard) Instead() error { return p.why }

func (p withoutCard) Description() string { return p.processor.Description() + "; " + p.why.Error() }
