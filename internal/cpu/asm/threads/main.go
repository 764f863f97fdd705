// Command pause generates the spin-wait hint of the thread pool.
package main

import . "github.com/mmcloughlin/avo/build"

func main() {
	ConstraintExpr("!purego")
	TEXT("pause", NOSPLIT, "func()")
	Doc("pause spends a moment of a loop that waits for another thread, and lets the",
		"other thread of the core have its execution units.")
	PAUSE()
	RET()
	Generate()
}
