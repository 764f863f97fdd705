package mpi

import (
	"fmt"
	"os"
	"runtime"
)

// ShareProcessors divides the processors among the ranks that run on the same
// ones: it sets GOMAXPROCS, unless the environment does. Launchers may bind each
// process to processors of its own; then there is nothing to divide.
func (w *World) ShareProcessors() error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	mine := fmt.Sprintf("%s %s", host, processors())
	same := 0
	for rank := range w.size {
		place, err := w.Broadcast(rank, []byte(mine))
		if err != nil {
			return err
		}
		if string(place) == mine {
			same++
		}
	}
	if os.Getenv("GOMAXPROCS") == "" && same > 1 {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/same))
	}
	return nil
}
