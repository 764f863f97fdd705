package gemm_test

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/cpu/arch"
	"github.com/affine-go/affine/internal/cpu/gemm"
	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

// calls returns the functions on the stack with their files, from Trainer.Step
// down to the one that called a micro-kernel; nil on a helper's stack.
func calls() []string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	var list []string
	for {
		f, more := frames.Next()
		name := regexp.MustCompile(`\[\.\.\.\]|\.func\d+`).ReplaceAllString(f.Function, "")
		list = append(list, name[strings.LastIndexByte(name, '.')+1:]+" "+path.Base(filepath.ToSlash(f.File)))
		if strings.HasSuffix(f.Function, "train.(*Trainer).Step") {
			slices.Reverse(list)
			return list
		}
		if !more {
			return nil
		}
	}
}

// From a step of the trainer to the micro-kernel are at most 12 calls, whichever
// way a product takes. docs/ARCHITECTURE.md lists them for the forward pass of a
// large layer.
func TestFromStepToMicroKernelAreFewCalls(t *testing.T) {
	chains := map[string][]string{}
	for _, hidden := range []int{8, 512} {
		c := train.DefaultConfig("moons", nil)
		c.Device, c.Hidden, c.Rows, c.Batch = "cpu", []int{hidden, hidden}, 1000, 256
		parts, err := c.Load()
		nettest.Must(t, err)
		tr, err := train.NewTrainer(c, parts)
		nettest.Must(t, err)
		back := gemm.OnMicroKernel(func() {
			if chain := calls(); chain != nil { // all on this goroutine
				chains[strings.Join(chain, ", ")] = chain
			}
		})
		_, err = tr.Step()
		back()
		nettest.Must(t, err)
	}
	text, err := os.ReadFile("../../../docs/ARCHITECTURE.md")
	nettest.Must(t, err)
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| \\d+ \\| `(?:\\w+\\.)?(\\w+)` \\| `([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1]+" "+path.Base(m[2]))
	}
	found := false
	for name, chain := range chains {
		if n := len(chain); n > 12 { // each calls the next, the last the kernel
			t.Errorf("%d calls: %s", n, name)
		}
		found = found || slices.Equal(chain, documented)
	}
	if arch.Current() == arch.Generic { // plain Go has no blocks of packed factors everywhere
		found = true
	}
	if !found || len(chains) < 4 {
		t.Errorf("docs/ARCHITECTURE.md lists %q, which is none of %q", documented, slices.Collect(maps.Keys(chains)))
	}
}
