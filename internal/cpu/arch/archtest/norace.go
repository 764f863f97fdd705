//go:build !race

package archtest

// UnderRace: the race detector is off.
const UnderRace = false
