//go:build race

package archtest

// UnderRace: the race detector is on; sync.Pool then drops some of what it is given, at random.
const UnderRace = true
