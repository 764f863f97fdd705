//go:build !amd64 || purego

package cpu

// detect finds no assembly in this build.
func detect() variant { return generic }
