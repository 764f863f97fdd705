//go:build (!amd64 && !arm64) || purego

package threads

import "runtime"

// pause spends a moment of a loop that waits for another thread.
func pause() { runtime.Gosched() }
