//go:build !gpu

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "bench was built without CUDA, want: go run -tags gpu ./internal/cuda/bench")
	os.Exit(1)
}
