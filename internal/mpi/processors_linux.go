package mpi

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// processors names those that the process may run on.
func processors() string {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return ""
	}
	return fmt.Sprint(set)
}
