//go:build !amd64 || purego

package arch

// detect finds no assembly in this build.
func detect() []Set { return nil }
