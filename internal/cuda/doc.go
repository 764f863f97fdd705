// Package cuda holds the device for NVIDIA cards: its memory, its kernels and
// the captured training steps. All of it is built with the tag gpu only.
package cuda

//go:generate sh kernels/generate.sh
