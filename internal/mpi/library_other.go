//go:build !linux || !(amd64 || arm64) || nompi

package mpi

import "fmt"

func (l *launch) load() (library, error) {
	return nil, fmt.Errorf("%s started this process (%s is set), but this program was built without MPI, which is there on Linux, amd64 or arm64, without the build tag nompi",
		l.name, l.variable)
}
