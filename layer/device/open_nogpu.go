//go:build !gpu

package device

import (
	"errors"
	"fmt"
)

// errNoCUDA is what a program that was built without CUDA answers.
var errNoCUDA = errors.New("this program was built without CUDA, want one built with: go build -tags gpu")

func openCUDA(n int) (Device, error) {
	return nil, fmt.Errorf("open device cuda:%d: %w", n, errNoCUDA)
}

// Cards returns the number of CUDA cards that can be opened, or why there are none.
func Cards() (int, error) { return 0, fmt.Errorf("count CUDA cards: %w", errNoCUDA) }

// instead is what the name auto stands for if no card can be opened.
func instead(error) Device { return processor{} }
