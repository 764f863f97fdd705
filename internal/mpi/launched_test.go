//go:build linux

package mpi

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// roleVariable tells this test, started once more by a launcher, what to do.
const roleVariable = "AFFINE_MPI_TEST"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(play(role))
	}
	os.Exit(m.Run())
}

// play is the program of one rank.
func play(role string) int {
	w, err := Open(func(err error) {
		fmt.Println("expired:", err)
		os.Exit(3)
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if err := roles[role](w); err != nil {
		fmt.Println(err)
		return 1
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Printf("rank %d of %d is done\n", w.Rank(), w.Size())
	return 0
}

var roles = map[string]func(w *World) error{
	"sum": func(w *World) error {
		for _, n := range lengths {
			if err := errors.Join(checkSum[float32](w, n), checkSum[float64](w, n)); err != nil {
				return err
			}
		}
		if got, err := w.Broadcast(w.Size()-1, []byte(fmt.Sprint("of rank ", w.Rank()))); err != nil || string(got) != fmt.Sprint("of rank ", w.Size()-1) {
			return fmt.Errorf("broadcast gave %q, error %v", got, err)
		}
		return faults()
	},
	"killed": func(w *World) error {
		if w.Rank() == 1 {
			time.AfterFunc(50*time.Millisecond, func() { syscall.Kill(os.Getpid(), syscall.SIGKILL) })
		}
		for {
			if err := w.Sum32(make([]float32, 10_000)); err != nil {
				return err
			}
		}
	},
	"silent": func(w *World) error {
		if w.Rank() == 1 {
			time.Sleep(time.Minute)
		}
		return w.Sum32(make([]float32, 10_000))
	},
	"aborting": func(w *World) error {
		if w.Rank() == 1 {
			w.Abort(7)
		}
		return w.Sum32(make([]float32, 10_000))
	},
}

// faults makes sure that the library left the handling of faults to Go.
func faults() (err error) {
	defer func() {
		if recover() == nil {
			err = errors.New("a nil pointer was read")
		}
	}()
	var p *int
	_ = *p
	return nil
}

// launchers are the ways to start n processes that this machine has.
func launchers(t *testing.T) map[string]func(n int) []string {
	if os.Getenv("AFFINE_TEST_MPI") == "" {
		t.Skip("starts processes by mpirun: set AFFINE_TEST_MPI=1")
	}
	found := map[string]func(n int) []string{}
	for _, l := range []struct {
		program string
		options []string
	}{
		{"mpirun.openmpi", []string{"--allow-run-as-root", "--oversubscribe"}},
		{"mpiexec.mpich", nil},
	} {
		if path, err := exec.LookPath(l.program); err == nil {
			found[l.program] = func(n int) []string {
				return append(append([]string{path}, l.options...), "-n", fmt.Sprint(n))
			}
		}
	}
	if len(found) == 0 {
		t.Skip("needs mpirun.openmpi or mpiexec.mpich")
	}
	return found
}

// launchRole runs ranks in a role and returns what they print.
func launchRole(t *testing.T, command []string, role string, env ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), command[0], append(command[1:], self)...)
	c.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

func TestLaunchedProcessesSumToTheSameBits(t *testing.T) {
	for name, command := range launchers(t) {
		for _, n := range []int{1, 2, 4} {
			out, err := launchRole(t, command(n), "sum")
			if err != nil || strings.Count(out, fmt.Sprintf("of %d is done", n)) != n {
				t.Errorf("%s with %d ranks: %v\n%s", name, n, err, out)
			}
		}
	}
}

func TestAKilledRankEndsTheOthers(t *testing.T) {
	for name, command := range launchers(t) {
		if out, err := launchRole(t, command(4), "killed"); err == nil {
			t.Errorf("%s: no error\n%s", name, out)
		}
	}
}

func TestASilentRankEndsTheOthersAtTheDeadline(t *testing.T) {
	for name, command := range launchers(t) {
		out, err := launchRole(t, command(2), "silent", DeadlineVariable+"=300ms")
		if err == nil || strings.Count(out, "expired: MPI: rank 0 of 2 waited more than 300ms") != 1 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestAbortEndsTheOthers(t *testing.T) {
	for name, command := range launchers(t) {
		if out, err := launchRole(t, command(2), "aborting"); err == nil || strings.Contains(out, "is done") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestALibraryOfAnotherLauncherIsRefused(t *testing.T) {
	t.Setenv("PMI_RANK", "0")
	t.Setenv("PMI_SIZE", "2") // but nobody listens
	launchers(t)
	out, err := launchRole(t, []string{"/usr/bin/env"}, "sum")
	if err == nil {
		t.Errorf("no error\n%s", out)
	}
}
