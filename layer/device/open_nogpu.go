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
