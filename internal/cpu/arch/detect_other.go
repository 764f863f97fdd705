//go:build (!amd64 && !arm64) || purego

package arch

// detect finds no assembly in this build.
func detect() []Set { return nil }
