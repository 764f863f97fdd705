//go:build race

package cpu

// underRace: sync.Pool then drops some of what it is given, at random.
const underRace = true
