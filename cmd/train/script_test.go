package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/affine-go/affine/internal/format"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sbinet/npyio/npz"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"gonum.org/v1/gonum/mat"
)

// The scripts run this test's binary as the program train.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"train": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("AFFINE_CPU", os.Getenv("AFFINE_CPU"))
			env.Values["vars"] = func() []string { return env.Vars }
			if err := makeTables(env.WorkDir); err != nil {
				return err
			}
			return makeArrays(env.WorkDir)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agree":       agree,
			"exits":       exits,
			"interrupted": interrupted,
			"json":        checkJSON,
			"lines":       lines,
			"near":        near,
			"truncate":    truncate,
		},
	})
}

// exits CODE PROGRAM ARGS... runs a program that must end with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	err := ts.Exec(args[1], args[2:]...)
	checkExit(ts, err, args[0])
}

func checkExit(ts *testscript.TestScript, err error, want string) {
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != want {
		ts.Fatalf("exit code is %d, want %s", code, want)
	}
}

// interrupted TIMES FILE ARGS... runs train, interrupts it once the file is
// there, and again when it says that it has noticed, and checks the exit code
// of an interrupt.
func interrupted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: interrupted TIMES FILE ARGS...")
	}
	times, err := strconv.Atoi(args[0])
	ts.Check(err)
	program, err := os.Executable()
	ts.Check(err)
	cmd := exec.Command(program, args[2:]...)
	cmd.Args[0] = "train" // what testscript.Main looks at
	cmd.Dir, cmd.Env = ts.MkAbs("."), ts.Value("vars").(func() []string)()
	stderr := new(watched)
	cmd.Stdout, cmd.Stderr = ts.Stdout(), io.MultiWriter(ts.Stderr(), stderr)
	ts.Check(cmd.Start())
	waitFor := func(what string, there func() bool) {
		for deadline := time.Now().Add(20 * time.Second); !there(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				cmd.Process.Kill()
				ts.Fatalf("%s did not come to be", what)
			}
		}
	}
	waitFor(args[1], func() bool { _, err := os.Stat(ts.MkAbs(args[1])); return err == nil })
	ts.Check(cmd.Process.Signal(os.Interrupt))
	for range times - 1 {
		waitFor("an answer to the interrupt", func() bool { return stderr.contains("interrupt again") })
		ts.Check(cmd.Process.Signal(os.Interrupt))
	}
	checkExit(ts, cmd.Wait(), strconv.Itoa(exitInterrupted))
}

// watched keeps what is written to it where another goroutine can look.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *watched) contains(s string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Contains(w.text.String(), s)
}

// json FILE PATH OP VALUE checks a field of a JSON object; FILE may be stdout.
// PATH is made of names and indices with dots between them; "." is the whole.
// OP is ==, >=, <=, matches (a regular expression) or length.
//
// json FILE only checks that the file is one JSON value and nothing else.
func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 && len(args) != 4 {
		ts.Fatalf("usage: json FILE [PATH OP VALUE]")
	}
	var value any
	if err := json.Unmarshal([]byte(ts.ReadFile(args[0])), &value); err != nil {
		ts.Fatalf("%s is not one JSON value: %v", args[0], err)
	}
	if len(args) == 1 {
		return
	}
	for _, step := range strings.FieldsFunc(args[1], func(r rune) bool { return r == '.' }) {
		switch v := value.(type) {
		case map[string]any:
			field, ok := v[step]
			if !ok {
				ts.Fatalf("%s has no %s", args[0], args[1])
			}
			value = field
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				ts.Fatalf("%s: no element %s in a list of %d", args[1], step, len(v))
			}
			value = v[i]
		default:
			ts.Fatalf("%s: %v has no %s", args[1], v, step)
		}
	}
	if ok := holds(ts, value, args[2], args[3]); ok == neg {
		ts.Fatalf("%s is %v, want %s%s %s", args[1], value, map[bool]string{true: "not "}[neg], args[2], args[3])
	}
}

func holds(ts *testscript.TestScript, value any, op, want string) bool {
	text := fmt.Sprint(value)
	switch op {
	case "==":
		return text == want
	case "matches":
		return regexp.MustCompile(want).MatchString(text)
	case "length":
		list, _ := value.([]any)
		return strconv.Itoa(len(list)) == want
	}
	number, ok := value.(float64)
	limit, err := strconv.ParseFloat(want, 64)
	if !ok || err != nil {
		ts.Fatalf("%v %s %s does not compare numbers", value, op, want)
	}
	switch op {
	case ">=":
		return number >= limit
	case "<=":
		return number <= limit
	}
	ts.Fatalf("unknown comparison %s", op)
	return false
}

// lines FILE N checks the number of lines; FILE may be stdout or stderr.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	text := ts.ReadFile(args[0])
	if got := strconv.Itoa(bytes.Count([]byte(text), []byte("\n"))); (got == args[1]) == neg {
		ts.Fatalf("%s has %s lines, want %s%s:\n%s", args[0], got, map[bool]string{true: "not "}[neg], args[1], text)
	}
}

// truncate FROM TO N copies the first N bytes of a file.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: truncate FROM TO N")
	}
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	data := ts.ReadFile(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[1])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(data[:n]), 0o644))
}

// agree CSV JSON checks that the predictions in a file that predict has written
// have the measures that eval has printed for the same rows. The target is the
// column in front of the predictions.
func agree(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: agree CSV JSON")
	}
	rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(args[0]))).ReadAll()
	ts.Check(err)
	var want evaluation
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &want))
	column := slices.Index(rows[0], predictionColumn)
	if rows = rows[1:]; len(rows) != want.Rows {
		ts.Fatalf("%d rows predicted, %d evaluated", len(rows), want.Rows)
	}
	check := func(what string, got float64, want *float64) {
		if want == nil || math.Abs(got-*want) > 1e-9 {
			ts.Fatalf("predictions have %s %v, eval says %v", what, got, format.Known(want))
		}
	}
	if want.Accuracy == nil {
		r2, mae := regressionMeasures(ts, rows, column)
		check("R²", r2, want.R2)
		check("mean absolute error", mae, want.MAE)
		return
	}
	right, loss := 0.0, 0.0
	for _, row := range rows {
		if row[column] == row[column-1] {
			right++
		}
		actual := slices.Index(want.Classes, row[column-1])
		loss -= math.Log(numberIn(ts, row[column+1+actual])) / float64(len(rows))
	}
	check("accuracy", right/float64(len(rows)), want.Accuracy)
	check("cross-entropy", loss, want.Loss)
}

func regressionMeasures(ts *testscript.TestScript, rows [][]string, column int) (r2, mae float64) {
	mean, residual, total := 0.0, 0.0, 0.0
	for _, row := range rows {
		mean += numberIn(ts, row[column-1]) / float64(len(rows))
	}
	for _, row := range rows {
		target, value := numberIn(ts, row[column-1]), numberIn(ts, row[column])
		residual += (target - value) * (target - value)
		total += (target - mean) * (target - mean)
		mae += math.Abs(target-value) / float64(len(rows))
	}
	return 1 - residual/total, mae
}

func numberIn(ts *testscript.TestScript, cell string) float64 {
	v, err := strconv.ParseFloat(cell, 64)
	ts.Check(err)
	return v
}

// makeArrays writes array files for the scripts, 60 rows of two classes each:
// made/data.npz and the MNIST-like directory made/idx, with 4×4 pixels that are
// bright in one half.
func makeArrays(dir string) error {
	const rows, side = 60, 4
	made := filepath.Join(dir, "made")
	if err := os.MkdirAll(filepath.Join(made, "idx"), 0o755); err != nil {
		return err
	}
	x, y := mat.NewDense(rows, 2, nil), make([]int64, rows)
	images := binary.BigEndian.AppendUint32(nil, 0x00000803)
	labels := binary.BigEndian.AppendUint32(nil, 0x00000801)
	for _, size := range []uint32{rows, side, side} {
		images = binary.BigEndian.AppendUint32(images, size)
	}
	labels = binary.BigEndian.AppendUint32(labels, rows)
	for i := range rows {
		class := i % 2
		y[i] = int64(class)
		x.Set(i, 0, float64(class)+0.01*float64(i%7))
		x.Set(i, 1, float64(i%5))
		labels = append(labels, byte(class))
		for pixel := range side * side {
			bright := byte(10 * (i % 3))
			if pixel*2/(side*side) == class {
				bright = 250
			}
			images = append(images, bright)
		}
	}
	for name, data := range map[string][]byte{"train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels} {
		if err := os.WriteFile(filepath.Join(made, "idx", name), data, 0o644); err != nil {
			return err
		}
	}
	w, err := npz.Create(filepath.Join(made, "data.npz"))
	if err != nil {
		return err
	}
	if err := w.Write("x", x); err != nil {
		return err
	}
	if err := w.Write("y", y); err != nil {
		return err
	}
	return w.Close()
}

// makeTables writes CSV files for the script that has a new.csv: people.csv as
// pandas' to_csv does by default, with its index, and new.csv in other encodings.
func makeTables(dir string) error {
	var people strings.Builder
	people.WriteString(",name,age,city,member,bought\n")
	for i := range 60 {
		age, city := fmt.Sprintf("%d.0", 20+i*7%50), []string{"Köln", "Oslo", "Paris", "Köln", ""}[i%5]
		if i%10 == 3 {
			age = ""
		}
		fmt.Fprintf(&people, "%d,\"Person, %d\",%s,%s,%s,%s\n", i, i, age, city, []string{"True", "False"}[i%2], []string{"no", "yes"}[i*7%50/25])
	}
	text, err := os.ReadFile(filepath.Join(dir, "new.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes(text)
	if err != nil {
		return err
	}
	narrow, err := charmap.Windows1252.NewEncoder().Bytes(text)
	if err != nil {
		return err
	}
	var gzipped bytes.Buffer
	z := gzip.NewWriter(&gzipped)
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	zstandard, err := zstd.NewWriter(nil)
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"people.csv": []byte(people.String()), "new16.csv": wide, "new1252.csv": narrow,
		"new.csv.gz": gzipped.Bytes(), "new.csv.zst": zstandard.EncodeAll(text, nil),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
