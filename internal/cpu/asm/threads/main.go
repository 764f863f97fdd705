// Command threads generates the spin-wait hint of the thread pool.
package main

import (
	"github.com/mmcloughlin/avo/attr"

	"github.com/affine-go/affine/internal/cpu/asm/vec"
)

func main() {
	c := vec.NewContext()
	c.Function("pause")
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr("func()")
	c.Doc("pause spends a moment of a loop that waits for another thread, and lets the",
		"other thread of the core have its execution units.")
	c.PAUSE()
	c.RET()
	vec.Generate(c, nil)
}
