//go:build !purego

package arch

// detect has nothing to ask: every processor that Go's arm64 runs on has NEON.
func detect() []Set { return []Set{NEON} }
