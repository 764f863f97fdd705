//go:build linux

package job_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/mpi"
	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/bench"
)

// program is the command, built once for all tests.
var program string

func TestMain(m *testing.M) {
	if os.Getenv("AFFINE_TEST_MPI") == "" {
		fmt.Println("skipped: starts processes by mpirun, set AFFINE_TEST_MPI=1")
		return
	}
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "affine-job")
		if err != nil {
			fmt.Println(err)
			return 1
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "train")
		if out, err := exec.Command("go", "build", "-o", program, "github.com/affine-go/affine/cmd/train").CombinedOutput(); err != nil {
			fmt.Printf("%v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// openMPI is how Open MPI starts n processes on this machine.
func openMPI(n int) []string {
	return []string{"mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", strconv.Itoa(n)}
}

// job returns the program as a job in dir, or alone without a launcher.
func job(t *testing.T, dir string, launcher []string, args ...string) *exec.Cmd {
	t.Helper()
	if len(launcher) > 0 {
		if _, err := exec.LookPath(launcher[0]); err != nil {
			t.Skip(err)
		}
	}
	words := append(append(slices.Clip(launcher), program), args...)
	c := exec.CommandContext(t.Context(), words[0], words[1:]...)
	c.Dir = dir
	return c
}

// finishes runs a job that has to end well.
func finishes(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, out)
	}
}

// same fails unless the runs in dir have the same model and checkpoint as the
// first.
func same(t *testing.T, dir string, runs ...string) {
	t.Helper()
	for _, name := range []string{train.ModelFile, train.CheckpointFile} {
		var first []byte
		for i, run := range runs {
			data, err := os.ReadFile(filepath.Join(dir, run, name))
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = data
			} else if !bytes.Equal(data, first) {
				t.Errorf("%s of %s is not that of %s", name, run, runs[0])
			}
		}
	}
}

// writeImages writes a dataset of n random images of 28×28 pixels.
func writeImages(t *testing.T, dir string, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	write := func(name string, header []uint32, size int, value func() byte) {
		var b bytes.Buffer
		binary.Write(&b, binary.BigEndian, header)
		for range size {
			b.WriteByte(value())
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	write("train-images-idx3-ubyte", []uint32{0x803, uint32(n), 28, 28}, n*28*28, func() byte { return byte(r.UintN(256)) })
	write("train-labels-idx1-ubyte", []uint32{0x801, uint32(n)}, n, func() byte { return byte(r.UintN(10)) })
}

// trainings are what must come out the same, by name.
func trainings(t *testing.T, dir string) map[string][]string {
	t.Helper()
	writeImages(t, dir, 500)
	return map[string][]string{
		"moons":  {"--dataset", "moons", "--batch", "20", "--schedule", "cosine", "--epochs", "60"},
		"glyphs": {"--dataset", "glyphs", "--n", "600", "--clip-norm", "1", "--dropout", "0.1", "--epochs", "20"},
		"mlp":    {"--dataset", "idx:" + dir, "--hidden", "512,256", "--batch", "128", "--epochs", "6"},
	}
}

// endless makes a training take longer than any test.
var endless = []string{"--epochs", "100000000"}

func fit(args []string, out string, more ...string) []string {
	return slices.Concat([]string{"fit", "--microbatches", "4", "--no-plots", "--out", out}, args, more)
}

func resume(out string) []string { return []string{"fit", "--resume", "--no-plots", "--out", out} }

// interrupted runs a job until it has a checkpoint, and ends it by the signal
// that launchers pass on.
func interrupted(t *testing.T, dir string, c *exec.Cmd, out string) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(dir, out, train.CheckpointFile))
	c.Process.Signal(syscall.SIGTERM)
	c.Wait()
}

func TestAModelIsTheSameBytesForAnyNumberOfRanks(t *testing.T) {
	dir := t.TempDir()
	for name, args := range trainings(t, dir) {
		runs := []string{name + "-alone"}
		finishes(t, job(t, dir, nil, fit(args, runs[0])...))
		for _, n := range []int{1, 2, 4} {
			runs = append(runs, fmt.Sprint(name, "-", n))
			finishes(t, job(t, dir, openMPI(n), fit(args, runs[len(runs)-1])...))
		}
		runs = append(runs, name+"-resumed")
		interrupted(t, dir, job(t, dir, openMPI(4), fit(args, runs[len(runs)-1])...), runs[len(runs)-1])
		finishes(t, job(t, dir, openMPI(2), resume(runs[len(runs)-1])...))
		same(t, dir, runs...)
	}
}

func TestMPICHGivesTheSameBytes(t *testing.T) {
	dir := t.TempDir()
	args := trainings(t, dir)["glyphs"]
	finishes(t, job(t, dir, nil, fit(args, "alone")...))
	finishes(t, job(t, dir, []string{"mpiexec.mpich", "-n", "2"}, fit(args, "mpich")...))
	same(t, dir, "alone", "mpich")
}

func TestAnInterruptedJobIsSaved(t *testing.T) {
	dir := t.TempDir()
	interrupted(t, dir, job(t, dir, openMPI(2), fit(trainings(t, dir)["moons"], "run", endless...)...), "run")
	m, err := train.ReadMetrics(filepath.Join(dir, "run", train.MetricsFile))
	if err != nil || m.StoppingReason != train.ReasonInterrupted {
		t.Fatalf("metrics %+v, error %v, want a run that was interrupted", m, err)
	}
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	for range 60_000 {
		if _, err := os.Stat(path); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s did not come to be", path)
}

// ranksOf returns the processes of the program under test.
func ranksOf(t *testing.T) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == program {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// A rank is killed at a random moment, the whole job started again on another
// number of ranks, and so on; AFFINE_TEST_MPI is the number of kills.
func TestAJobWhoseRanksAreKilledEndsWithTheSameBytes(t *testing.T) {
	kills, _ := strconv.Atoi(os.Getenv("AFFINE_TEST_MPI"))
	kills = max(kills, 3)
	dir := t.TempDir()
	args := trainings(t, dir)["moons"]
	longer := []string{"--epochs", "400"}
	finishes(t, job(t, dir, nil, fit(args, "alone", longer...)...))
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []int{1, 2, 4}
	killed, sofar := 0, 0
	for killed < kills {
		out := fmt.Sprint("run-", sofar)
		sofar++
		for first := true; ; first = false {
			words := fit(args, out, longer...)
			if config, checkpoint := there(dir, out, train.ConfigFile), there(dir, out, train.CheckpointFile); config || checkpoint {
				words = resume(out)
			} else if !first {
				os.RemoveAll(filepath.Join(dir, out)) // killed before there was a run
			}
			c := job(t, dir, openMPI(sizes[r.IntN(len(sizes))]), words...)
			var log bytes.Buffer
			c.Stdout, c.Stderr = &log, &log
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if killed < kills {
				time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
				if pids := ranksOf(t); len(pids) > 0 && syscall.Kill(pids[r.IntN(len(pids))], syscall.SIGKILL) == nil {
					killed++
				}
			}
			err := c.Wait()
			if left := ranksOf(t); len(left) > 0 {
				t.Fatalf("processes %v outlived their job", left)
			}
			if err == nil {
				break
			}
			if code := c.ProcessState.ExitCode(); killed == kills && code != 137 && code != 9 && !strings.Contains(log.String(), "signal 9") {
				t.Fatalf("%s: %v\n%s", strings.Join(c.Args, " "), err, log.String())
			}
		}
		same(t, dir, "alone", out)
	}
	t.Logf("%d kills in %d runs", killed, sofar)
}

func there(parts ...string) bool {
	_, err := os.Stat(filepath.Join(parts...))
	return err == nil
}

func TestWrongJobsEndWithOneLineOfOurs(t *testing.T) {
	for _, test := range []struct {
		ranks int
		args  []string
		want  string
		code  int
	}{
		{2, []string{"fit"}, "train: 2 ranks cannot share a batch in 1 part: give --microbatches 2 ", 2},
		{4, []string{"fit", "--microbatches", "2"}, "train: 4 ranks cannot share a batch in 2 parts", 2},
		{3, []string{"fit", "--microbatches", "4"}, "train: got 3 ranks", 2},
		{2, []string{"fit", "--no-such-flag"}, "train: unknown flag --no-such-flag", 2},
		{2, []string{"fit", "--dataset", "csv:none.csv"}, "train: ", 1},
	} {
		c := job(t, t.TempDir(), openMPI(test.ranks), test.args...)
		out, err := c.CombinedOutput()
		lines := 0
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "train: ") {
				lines++
			}
		}
		if err == nil || c.ProcessState.ExitCode() != test.code || lines != 1 || !strings.Contains(string(out), test.want) {
			t.Errorf("%d ranks of %v: %v, want code %d and one line with %q\n%s", test.ranks, test.args, err, test.code, test.want, out)
		}
	}
}

func TestSumsAreTimed(t *testing.T) {
	out, err := job(t, t.TempDir(), openMPI(2), "bench", "--op", "allreduce", "--samples", "1", "--sample", "1us", "--json").Output()
	var report bench.Report
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	if err != nil || report.Link == nil || report.Link.Ranks != 2 || report.Link.GBPerS <= 0 || len(report.Cases) != 12 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestOtherCommandsRunOnce(t *testing.T) {
	out, err := job(t, t.TempDir(), openMPI(2), "datasets").Output()
	if err != nil || strings.Count(string(out), "moons ") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

// hosts is two network namespaces, joined by a link, that stand for two hosts.
type hosts struct{ first, second, agent string }

const (
	firstAddress  = "10.213.77.1"
	secondAddress = "10.213.77.2"
	network       = "10.213.77.0/24"
)

func twoHosts(t *testing.T) *hosts {
	t.Helper()
	h := &hosts{first: fmt.Sprintf("affine-%d-a", os.Getpid()), second: fmt.Sprintf("affine-%d-b", os.Getpid())}
	ip := func(args ...string) error {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w, %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := ip("netns", "add", h.first); err != nil {
		t.Skip(err) // not root, or without network namespaces
	}
	t.Cleanup(func() { ip("netns", "del", h.first); ip("netns", "del", h.second) })
	if err := errors.Join(
		ip("netns", "add", h.second),
		ip("link", "add", "wire", "netns", h.first, "type", "veth", "peer", "name", "wire", "netns", h.second),
		ip("-n", h.first, "addr", "add", firstAddress+"/24", "dev", "wire"),
		ip("-n", h.second, "addr", "add", secondAddress+"/24", "dev", "wire"),
		ip("-n", h.first, "link", "set", "lo", "up"), ip("-n", h.second, "link", "set", "lo", "up"),
		ip("-n", h.first, "link", "set", "wire", "up"), ip("-n", h.second, "link", "set", "wire", "up"),
	); err != nil {
		t.Skip(err)
	}
	// What mpirun starts its daemon on the second host with, in place of ssh.
	h.agent = filepath.Join(t.TempDir(), "agent")
	script := fmt.Sprintf("#!/bin/bash\nwhile [[ \"$1\" == -* ]]; do shift; done\nshift\nexec ip netns exec %s /bin/bash -c \"$*\"\n", h.second)
	if err := os.WriteFile(h.agent, []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	return h
}

// launcher starts n processes, half of them on each host.
func (h *hosts) launcher(n int) []string {
	each := strconv.Itoa(n / 2)
	return append([]string{"ip", "netns", "exec", h.first}, "mpirun.openmpi", "--allow-run-as-root", "--bind-to", "none",
		"--mca", "plm_rsh_agent", h.agent, "--mca", "oob_tcp_if_include", network, "--mca", "btl_tcp_if_include", network, "--mca", "btl", "self,tcp",
		"-x", mpi.DeadlineVariable, "--host", firstAddress+":"+each+","+secondAddress+":"+each, "-n", strconv.Itoa(n))
}

func TestTwoHostsGiveTheSameBytes(t *testing.T) {
	if _, err := exec.LookPath("mpirun.openmpi"); err != nil {
		t.Skip(err)
	}
	h := twoHosts(t)
	dir := t.TempDir()
	for name, args := range trainings(t, dir) {
		finishes(t, job(t, dir, nil, fit(args, name)...))
		interrupted(t, dir, job(t, dir, h.launcher(2), fit(args, name+"-hosts")...), name+"-hosts")
		finishes(t, job(t, dir, h.launcher(4), resume(name+"-hosts")...))
		same(t, dir, name, name+"-hosts")
	}
}

func TestACutLinkEndsTheJobAtTheDeadline(t *testing.T) {
	if _, err := exec.LookPath("mpirun.openmpi"); err != nil {
		t.Skip(err)
	}
	h := twoHosts(t)
	dir := t.TempDir()
	t.Setenv(mpi.DeadlineVariable, "1s")
	c := job(t, dir, h.launcher(2), fit(trainings(t, dir)["moons"], "run", endless...)...)
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	c.WaitDelay = 10 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(dir, "run", train.CheckpointFile))
	if out, err := exec.Command("ip", "-n", h.first, "link", "set", "wire", "down").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	waitForEnd(t) // of the ranks; mpirun may wait longer for the daemon that it lost
	c.Process.Kill()
	c.Wait()
	if want := "rank 0 of 2 waited more than 1s"; !strings.Contains(log.String(), want) {
		t.Errorf("want %q\n%s", want, log.String())
	}
	if _, err := train.LoadPredictor(filepath.Join(dir, "run")); err != nil {
		t.Errorf("the run is not whole: %v", err)
	}
}

// waitForEnd waits until no rank is left.
func waitForEnd(t *testing.T) {
	t.Helper()
	for range 600 {
		if len(ranksOf(t)) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("processes %v outlive a cut link", ranksOf(t))
}
