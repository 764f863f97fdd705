package cpu

// The assembly is written in Go, with avo, in the module asm/, which has its
// own go.mod so that users of this module do not inherit the generator. Each
// command there writes one assembly file and the stubs that declare it.

//go:generate go -C asm run ./pause -out ../pause_amd64.s -stubs ../pause_amd64.go -pkg cpu
