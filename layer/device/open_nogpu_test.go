//go:build !gpu

package device

import (
	"strings"
	"testing"
)

func TestWithoutCUDAOpenSaysHowToBuildWithIt(t *testing.T) {
	for _, name := range []string{"cuda", "cuda:0", "cuda:3"} {
		_, err := Open(name)
		if err == nil || !strings.Contains(err.Error(), "-tags gpu") {
			t.Errorf("Open(%q): error %v, want one that says -tags gpu", name, err)
		}
	}
	if d, err := Open("auto"); err != nil || d.Name() != "cpu" {
		t.Errorf(`Open("auto") gave %v, %v; want the processor`, d, err)
	}
}
