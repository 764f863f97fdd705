//go:build !linux

package threads

// yieldThread would let other threads run first. Elsewhere than on Linux the
// system is left to do so by itself.
func yieldThread() {}
