// Package job runs the program as one of the processes that a launcher such as
// mpirun started.
package job

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/affine-go/affine/internal/mpi"
	"github.com/affine-go/affine/train"
)

// Job is the processes of a job, of which this one is a rank. Rank 0 reads,
// writes and prints for all. nil is a process without others.
type Job struct {
	world *mpi.World
	left  bool
}

// grace is how long other ranks than 0 wait before they say what went wrong:
// mostly rank 0 says the same and ends the job before.
const grace = 2 * time.Second

// Failed is the exit code of a process whose job does not come about.
const Failed = 1

// Run runs the program in the job that a launcher started this process for, or
// alone, and returns its exit code. fails reports whether an exit code tells of
// an error: then the job ends for all.
func Run(program func(j *Job, stdin io.Reader, stdout, stderr io.Writer) int, fails func(code int) bool) int {
	if !mpi.Launched() {
		return program(nil, os.Stdin, os.Stdout, os.Stderr)
	}
	world, err := mpi.Open(func(err error) {
		if !strings.Contains(err.Error(), "rank 0 of") {
			time.Sleep(grace)
		}
		fmt.Fprintln(os.Stderr, "train:", err)
		os.Exit(Failed)
	})
	if err == nil {
		err = world.ShareProcessors()
	}
	if err != nil {
		if !mpi.LaunchedFirst() {
			time.Sleep(grace)
		}
		fmt.Fprintln(os.Stderr, "train:", err)
		return Failed
	}
	j := &Job{world: world}
	if j.First() {
		code := program(j, os.Stdin, os.Stdout, os.Stderr)
		return j.end(code, fails(code))
	}
	var said bytes.Buffer
	code := program(j, strings.NewReader(""), io.Discard, &said)
	if fails(code) {
		time.Sleep(grace)
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		fmt.Fprintf(os.Stderr, "train: %v: %s\n", world, strings.TrimPrefix(lines[len(lines)-1], "train: "))
	}
	return j.end(code, fails(code))
}

// end leaves the job or, if something went wrong while other ranks may wait for
// this one, ends it for all.
func (j *Job) end(code int, failed bool) int {
	if failed && !j.left {
		j.world.Abort(code)
		return code
	}
	if err := j.world.Close(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "train:", err)
		return Failed
	}
	return code
}

// First reports whether this process reads, writes and prints.
func (j *Job) First() bool { return j == nil || j.world.Rank() == 0 }

// Size returns the number of processes.
func (j *Job) Size() int {
	if j == nil {
		return 1
	}
	return j.world.Size()
}

// Leave tells the other processes that there is no more to share, and reports
// whether this is the one that goes on alone.
func (j *Job) Leave() (first bool, err error) {
	if j == nil {
		return true, nil
	}
	j.left = true
	return j.First(), j.world.Close()
}

// Ranks returns the processes as those of a training.
func (j *Job) Ranks() train.Ranks { return j.world }

// Share returns the option that shares a training.
func (j *Job) Share() []train.FitOption {
	if j == nil {
		return nil
	}
	return []train.FitOption{train.WithRanks(j.world)}
}

// FromFirst returns what read returned in rank 0, which alone calls it. If that
// is an error, rank 0 is expected to fail.
func (j *Job) FromFirst(read func() ([]byte, error)) ([]byte, error) {
	if j == nil {
		return read()
	}
	var data []byte
	if j.First() {
		var err error
		if data, err = read(); err != nil {
			return nil, err
		}
	}
	return j.world.Broadcast(0, data)
}
