package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
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
	if ok := compare(ts, value, args[2], args[3]); ok == neg {
		ts.Fatalf("%s is %v, want %s%s %s", args[1], value, map[bool]string{true: "not "}[neg], args[2], args[3])
	}
}

func compare(ts *testscript.TestScript, value any, op, want string) bool {
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
