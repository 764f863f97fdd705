//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/nettest"
	"github.com/affine-go/affine/train"
)

// program returns the program train as a process in dir.
func program(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	nettest.Must(t, err)
	cmd := exec.Command(path, args...)
	cmd.Args[0] = "train" // what testscript.Main looks at
	cmd.Dir = dir
	return cmd
}

// ends runs a process to its end and returns its exit code, -1 if a signal
// ended it, and what it wrote.
func ends(t testing.TB, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	failed := cmd.Run()
	if exit := (*exec.ExitError)(nil); failed != nil && !errors.As(failed, &exit) {
		t.Fatal(failed)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func there(path string) bool { _, err := os.Stat(path); return err == nil }

// waitFor waits until what is true; a process that ended meanwhile is an error.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come to be", what)
		}
	}
}

// forever is a training that does not end by itself.
func forever(dir string) []string {
	return []string{"fit", "--dataset", "xor", "--n", "100", "--epochs", "100000000", "--batch", "16", "--out", dir, "--no-plots"}
}

func TestEverySignalSavesTheRun(t *testing.T) {
	// What this process handles, its children take, also where it was started to
	// ignore hang-ups.
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	for _, signals := range [][]syscall.Signal{{syscall.SIGINT}, {syscall.SIGTERM}, {syscall.SIGHUP}, {syscall.SIGHUP, syscall.SIGHUP, syscall.SIGHUP}} {
		dir := t.TempDir()
		cmd := program(t, dir, forever("run")...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		nettest.Must(t, cmd.Start())
		waitFor(t, "a checkpoint", func() bool { return there(filepath.Join(dir, "run", train.CheckpointFile)) })
		for _, s := range signals {
			nettest.Must(t, cmd.Process.Signal(s))
		}
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.Contains(stderr.String(), "saved; resume with: train fit --out run --resume") {
			t.Errorf("%v: exit code %d, %s", signals, code, stderr.String())
		}
		if m, err := train.ReadMetrics(filepath.Join(dir, "run", train.MetricsFile)); err != nil || m.StoppingReason != train.ReasonInterrupted {
			t.Errorf("%v: metrics are %+v, %v", signals, m, err)
		}
	}
}

// Whenever a signal comes, before the data are loaded too, there is either
// nothing of a run or one that can be resumed.
func TestASignalBeforeTheFirstStepLosesNothing(t *testing.T) {
	dir := t.TempDir()
	args := []string{"fit", "--dataset", "spirals", "--n", "20000", "--epochs", "1", "--no-plots"}
	for i := range 12 {
		out := fmt.Sprint("run", i)
		cmd := program(t, dir, append(args, "--out", out)...)
		nettest.Must(t, cmd.Start())
		time.Sleep(time.Duration(i) * 5 * time.Millisecond)
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		switch code := cmd.ProcessState.ExitCode(); {
		case code == -1 && !there(filepath.Join(dir, out)): // the program had not begun
		case code == exitInterrupted || code == exitDone:
			if _, err := train.LoadRun(filepath.Join(dir, out)); err != nil {
				t.Errorf("after %d ms: %v", 5*i, err)
			}
			if code, _, stderr := ends(t, program(t, dir, "fit", "--out", out, "--resume", "--no-plots")); code != exitDone {
				t.Errorf("after %d ms: resumed, it ends with %d: %s", 5*i, code, stderr)
			}
		default:
			t.Errorf("after %d ms: exit code %d", 5*i, code)
		}
	}
}

func TestAProgramThatOutlivesItsTerminalIgnoresHangUps(t *testing.T) {
	nohup, err := exec.LookPath("nohup")
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	cmd := program(t, dir, forever("run")...)
	link := filepath.Join(dir, "train")
	nettest.Must(t, os.Symlink(cmd.Path, link)) // nohup runs it by its path
	cmd = exec.Command(nohup, append([]string{link}, forever("run")...)...)
	cmd.Dir = dir
	nettest.Must(t, cmd.Start())
	waitFor(t, "a checkpoint", func() bool { return there(filepath.Join(dir, "run", train.CheckpointFile)) })
	nettest.Must(t, cmd.Process.Signal(syscall.SIGHUP))
	time.Sleep(100 * time.Millisecond)
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil || there(filepath.Join(dir, "run", train.MetricsFile)) {
		t.Errorf("it ended: %v", err)
	}
	nettest.Must(t, cmd.Process.Signal(syscall.SIGTERM))
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code is %d, want %d", code, exitInterrupted)
	}
}

// A second training in a directory gets one line and leaves the first alone.
func TestTheSecondTrainingInADirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := program(t, dir, forever("run")...)
	nettest.Must(t, first.Start())
	waitFor(t, "a checkpoint", func() bool { return there(filepath.Join(dir, "run", train.CheckpointFile)) })
	for _, how := range []string{"--resume", "--force"} {
		code, stdout, stderr := ends(t, program(t, dir, append(forever("run"), how)...))
		if how == "--resume" { // the settings are the run's own
			code, stdout, stderr = ends(t, program(t, dir, "fit", "--out", "run", "--resume"))
		}
		if code != exitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "another training is going on") {
			t.Errorf("%s: exit code %d, output %q, errors %q", how, code, stdout, stderr)
		}
	}
	nettest.Must(t, first.Process.Kill())
	first.Wait() // and with it goes the lock
	if code, _, stderr := ends(t, program(t, dir, "fit", "--dataset", "xor", "--epochs", "1", "--out", "run", "--force")); code != exitDone {
		t.Errorf("after the first was killed: exit code %d, %s", code, stderr)
	}
}

// A run that is killed at any moment, again and again, ends with the bytes of
// one that was not.
func TestAKilledRunEndsWithTheSameBytes(t *testing.T) {
	kills := 12
	if nettest.Long() {
		kills = 200
	}
	args := []string{"fit", "--dataset", "moons", "--n", "400", "--epochs", "1500", "--hidden", "8", "--no-plots", "--seed", "3"}
	dir := t.TempDir()
	started := time.Now()
	if code, _, stderr := ends(t, program(t, dir, append(args, "--out", "whole")...)); code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	took := time.Since(started)
	random := rand.New(rand.NewPCG(1, 2))
	killed, runs := 0, 0
	for ; killed < kills; runs++ {
		out := fmt.Sprint("run", runs)
		for attempt := 0; ; attempt++ {
			command := append(slices.Clone(args), "--out", out)
			if there(filepath.Join(dir, out, train.ConfigFile)) {
				command = []string{"fit", "--out", out, "--resume", "--no-plots"}
			}
			cmd := program(t, dir, command...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			nettest.Must(t, cmd.Start())
			wait := time.Duration(random.Int64N(int64(took)))
			if attempt%2 == 0 { // in the first moments, before the first checkpoint too
				wait = time.Duration(random.Int64N(int64(60 * time.Millisecond)))
			}
			timer := time.AfterFunc(wait, func() { cmd.Process.Kill() })
			cmd.Wait()
			timer.Stop()
			if cmd.ProcessState.ExitCode() == exitDone {
				break
			}
			if s := cmd.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() {
				t.Fatalf("%s, attempt %d: exit code %d: %s", out, attempt, s.ExitStatus(), stderr.String())
			}
			if killed++; killed >= kills || attempt == 5 {
				code, _, stderr := ends(t, program(t, dir, resumed(dir, out, args)...))
				if code != exitDone {
					t.Fatalf("%s: exit code %d: %s", out, code, stderr)
				}
				break
			}
		}
		for _, file := range []string{train.ModelFile, train.CheckpointFile, train.ConfigFile} {
			want, err := os.ReadFile(filepath.Join(dir, "whole", file))
			nettest.Must(t, err)
			got, err := os.ReadFile(filepath.Join(dir, out, file))
			nettest.Must(t, err)
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %s is not that of the run that was not killed", out, file)
			}
		}
		entries, err := os.ReadDir(filepath.Join(dir, out))
		nettest.Must(t, err)
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), ".tmp") {
				t.Errorf("%s: %s was left behind", out, e.Name())
			}
		}
	}
	t.Logf("%d kills in %d runs, all of which ended with the same bytes", killed, runs)
}

// resumed is the command line that goes on with a run, or begins it if nothing
// of it is there.
func resumed(dir, out string, args []string) []string {
	if there(filepath.Join(dir, out, train.ConfigFile)) {
		return []string{"fit", "--out", out, "--resume", "--no-plots"}
	}
	return append(slices.Clone(args), "--out", out)
}

// The old run is there until the new one has its first checkpoint.
func TestAKilledForceLeavesOneOfTheTwoRuns(t *testing.T) {
	dir := t.TempDir()
	run := filepath.Join(dir, "run")
	fit := func(seed string, how ...string) *exec.Cmd {
		return program(t, dir, append([]string{"fit", "--dataset", "xor", "--n", "200", "--epochs", "3", "--seed", seed, "--out", "run", "--no-plots"}, how...)...)
	}
	whole := map[string][]byte{}
	for _, seed := range []string{"1", "2"} {
		if code, _, stderr := ends(t, fit(seed, "--force")); code != exitDone {
			t.Fatal(stderr)
		}
		data, err := os.ReadFile(filepath.Join(run, train.ModelFile))
		nettest.Must(t, err)
		whole[seed] = data
	}
	kills := 10
	if nettest.Long() {
		kills = 100
	}
	random := rand.New(rand.NewPCG(5, 6))
	found := map[string]int{}
	for range kills {
		if code, _, stderr := ends(t, fit("1", "--force")); code != exitDone {
			t.Fatal(stderr)
		}
		cmd := fit("2", "--force")
		nettest.Must(t, cmd.Start())
		time.Sleep(time.Duration(random.Int64N(int64(40 * time.Millisecond))))
		cmd.Process.Kill()
		cmd.Wait()
		if code, _, stderr := ends(t, program(t, dir, "fit", "--out", "run", "--resume", "--no-plots")); code != exitDone {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		c, err := train.ReadRunConfig(run)
		nettest.Must(t, err)
		seed := fmt.Sprint(c.Seed)
		found[seed]++
		if data, err := os.ReadFile(filepath.Join(run, train.ModelFile)); err != nil || !bytes.Equal(data, whole[seed]) {
			t.Fatalf("the run with seed %s has another model than before: %v", seed, err)
		}
	}
	t.Logf("found the old run %d times, the new one %d times", found["1"], found["2"])
}

func TestAClosedPipeEndsQuietly(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := ends(t, program(t, dir, "fit", "--dataset", "iris", "--epochs", "2", "--out", "iris", "--no-plots")); code != exitDone {
		t.Fatal(stderr)
	}
	nettest.Must(t, os.WriteFile(filepath.Join(dir, "rows.csv"), []byte("sepal length,sepal width,petal length,petal width\n"+strings.Repeat("5,3,1,0.2\n", 20_000)), 0o644))
	for what, c := range map[string]struct {
		args []string
		code int
	}{
		"training":   {forever("run"), exitInterrupted},
		"prediction": {[]string{"predict", "iris", "--input", "rows.csv"}, exitDone},
		"list":       {[]string{"datasets"}, exitDone},
		"help":       {[]string{"--help"}, exitDone},
	} {
		cmd := program(t, dir, c.args...)
		out, err := cmd.StdoutPipe()
		nettest.Must(t, err)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		nettest.Must(t, cmd.Start())
		nettest.Must(t, out.Close()) // before a word of it is read
		cmd.Wait()
		said := stderr.String()
		if what == "prediction" { // which tells on standard error what it did
			said = ""
		}
		if code := cmd.ProcessState.ExitCode(); code != c.code || said != "" {
			t.Errorf("%s: exit code %d, want %d; errors %q", what, code, c.code, stderr.String())
		}
	}
	if code, _, stderr := ends(t, program(t, dir, "fit", "--out", "run", "--resume", "--epochs", "1", "--no-plots")); code == exitFailed {
		t.Errorf("the training whose pipe was closed cannot be resumed: %s", stderr)
	}
}

// readOnly returns the program as a process in dir that sees dir read-only; the
// mount is one of the process's own. It skips the test where that cannot be done.
func readOnly(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	const script = `mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec "$@"`
	unshared := func(command ...string) *exec.Cmd {
		return exec.Command("unshare", append([]string{"--map-root-user", "--mount", "sh", "-c", script, dir}, command...)...)
	}
	if text, err := unshared("sh", "-c", "! touch probe 2> /dev/null").CombinedOutput(); err != nil {
		t.Skipf("a directory cannot be mounted read-only: %v: %s", err, text)
	}
	path, err := os.Executable()
	nettest.Must(t, err)
	named := filepath.Join(t.TempDir(), "train") // what testscript.Main looks at
	nettest.Must(t, os.Symlink(path, named))
	return unshared(append([]string{named}, args...)...)
}

// Where nothing can be written, one line says so, and what is there stays and
// can be used.
func TestAReadOnlyDirectoryIsLeftAsItIs(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := ends(t, program(t, dir, "fit", "--dataset", "iris", "--epochs", "2", "--out", "iris", "--no-plots")); code != exitDone {
		t.Fatal(stderr)
	}
	nettest.Must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	nettest.Must(t, os.WriteFile(filepath.Join(dir, "rows.csv"), []byte("sepal length,sepal width,petal length,petal width\n5,3,1,0.2\n"), 0o644))
	files := func() map[string]string {
		found := map[string]string{}
		nettest.Must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				found[path] = ""
				return err
			}
			text, err := os.ReadFile(path)
			found[path] = string(text)
			return err
		}))
		return found
	}
	before := files()
	for _, c := range []struct {
		args string
		code int
	}{
		{"fit --dataset iris --epochs 2", exitFailed},
		{"fit --dataset iris --epochs 2 --out new", exitFailed},
		{"fit --dataset iris --epochs 2 --out empty", exitFailed},
		{"fit --dataset iris --epochs 2 --out iris --force", exitFailed},
		{"fit --out iris --resume --epochs 3", exitFailed},
		{"predict iris --input rows.csv --output p.csv", exitFailed},
		{"export iris --format onnx --output iris.onnx", exitFailed},
		{"report iris", exitFailed},
		{"predict iris --input rows.csv", exitDone},
		{"eval iris", exitDone},
	} {
		code, stdout, stderr := ends(t, readOnly(t, dir, strings.Fields(c.args)...))
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d: %s", c.args, code, c.code, stderr)
		}
		if code != exitDone && (stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "read-only file system")) {
			t.Errorf("%s: output %q and errors %q, want one line that says why", c.args, stdout, stderr)
		}
	}
	if after := files(); !maps.Equal(before, after) {
		t.Errorf("there are %d files, of other content than the %d before", len(after), len(before))
	}
}

// An output is written to what can only be written to, and the input of a
// process substitution is read.
func TestOutputsOfEveryKind(t *testing.T) {
	dir := t.TempDir()
	if code, _, stderr := ends(t, program(t, dir, "fit", "--dataset", "iris", "--epochs", "2", "--out", "iris", "--no-plots")); code != exitDone {
		t.Fatal(stderr)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	nettest.Must(t, os.WriteFile(path("rows.csv"), []byte("sepal length,sepal width,petal length,petal width\n5,3,1,0.2\n"), 0o644))
	predict := func(output string) *exec.Cmd {
		return program(t, dir, "predict", "iris", "--input", "rows.csv", "--output", output)
	}
	_, want, _ := ends(t, program(t, dir, "predict", "iris", "--input", "rows.csv"))
	if !strings.Contains(want, "prediction") {
		t.Fatalf("predictions are %q", want)
	}
	if code, stdout, stderr := ends(t, predict("/dev/stdout")); code != exitDone || stdout != want {
		t.Errorf("/dev/stdout: exit code %d, %q, %s", code, stdout, stderr)
	}
	r, w, err := os.Pipe()
	nettest.Must(t, err)
	cmd := predict("/dev/fd/3")
	cmd.ExtraFiles = []*os.File{w}
	if code, _, stderr := ends(t, cmd); code != exitDone {
		t.Errorf("descriptor: exit code %d, %s", code, stderr)
	}
	nettest.Must(t, w.Close())
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("descriptor: got %q, %v", got, err)
	}
	nettest.Must(t, syscall.Mkfifo(path("pipe"), 0o600))
	var read sync.WaitGroup
	var got []byte
	read.Go(func() { got, _ = os.ReadFile(path("pipe")) })
	if code, _, stderr := ends(t, predict("pipe")); code != exitDone {
		t.Errorf("pipe: exit code %d, %s", code, stderr)
	}
	read.Wait()
	if string(got) != want {
		t.Errorf("pipe: got %q", got)
	}
	nettest.Must(t, os.WriteFile(path("target.csv"), []byte("old"), 0o600))
	nettest.Must(t, os.Symlink("target.csv", path("link.csv")))
	if code, _, stderr := ends(t, predict("link.csv")); code != exitDone {
		t.Errorf("link: exit code %d, %s", code, stderr)
	}
	if got, err := os.ReadFile(path("target.csv")); err != nil || string(got) != want {
		t.Errorf("link: its target holds %q, %v", got, err)
	}
	for output, words := range map[string]string{"iris": "directory", "iris/model.safetensors": "belongs to the run", "none/x.csv": "no directory"} {
		before, _ := os.ReadFile(path("iris/model.safetensors"))
		code, _, stderr := ends(t, predict(output))
		if code == exitDone || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, words) {
			t.Errorf("%s: exit code %d, %s", output, code, stderr)
		}
		if after, _ := os.ReadFile(path("iris/model.safetensors")); !bytes.Equal(before, after) {
			t.Errorf("%s: the model was replaced", output)
		}
	}
}
