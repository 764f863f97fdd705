package mpi

import "os"

// A launch is a way in which a process can have been started as one of several.
type launch struct {
	name         string
	variable     string   // in the environment of processes started so
	sizeVariable string   // holds the number of processes, "" if none does
	rankVariable string   // holds that of this process
	libraries    []string // names to open, in this order
}

// The libraries are named by their binary interface: 40 is that of Open MPI from
// 3 to 5, 12 that of MPICH, Intel MPI, MVAPICH and Cray. Plain names come with
// development packages.
var (
	openMPI = []string{"libmpi.so.40", "libmpi.so"}
	mpich   = []string{"libmpi.so.12", "libmpich.so.12", "libmpi_cray.so.12", "libmpi.so"}
)

// launches are told apart by what they set in the environment; the first that
// fits counts. PMIx comes after Open MPI, whose mpirun sets both. Plain Slurm
// variables say nothing: a batch script has them, too.
var launches = []*launch{
	{"Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", openMPI},
	{"a PMIx launcher", "PMIX_RANK", "", "PMIX_RANK", append(append([]string{}, openMPI...), mpich...)},
	{"a PMI launcher", "PMI_RANK", "PMI_SIZE", "PMI_RANK", append(append([]string{}, mpich...), openMPI...)},
}

// launcher returns how this process was started, nil if by no launcher.
func launcher() *launch {
	for _, l := range launches {
		if os.Getenv(l.variable) != "" {
			return l
		}
	}
	return nil
}

// Launched reports whether a launcher started this process as one of a job's.
func Launched() bool { return launcher() != nil }

// LaunchedFirst reports whether this process will be rank 0, by what the
// launcher says.
func LaunchedFirst() bool {
	l := launcher()
	return l == nil || os.Getenv(l.rankVariable) == "0"
}
