package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `{"cells": [{"cell_type": "markdown", "source": "# T"},
	{"cell_type": "code", "execution_count": 1, "source": ["a\n", "b"], "outputs": [%s]}]}`

func TestProblemsOfANotebookAreNamed(t *testing.T) {
	for _, c := range []struct{ name, notebook, want string }{
		{"printed lines", fmt.Sprintf(good, `{"output_type": "stream", "name": "stdout", "text": ["✓\n"]}`), ""},
		{"failed program", fmt.Sprintf(good, `{"output_type": "stream", "name": "stderr", "text": "✗ got 1"}`), "cell 2: wrote to standard error: ✗ got 1\nin\na\nb"},
		{"failed build", fmt.Sprintf(good, `{"output_type": "error", "evalue": "exit status 1"}`), "cell 2: error: exit status 1"},
		{"private path", fmt.Sprintf(good, `{"output_type": "stream", "name": "stdout", "text": "in /home/ann/x"}`), `output contains "/home/ann"`},
		{"not executed", strings.Replace(fmt.Sprintf(good, ""), `"execution_count": 1`, `"execution_count": null`, 1), "cell 2 was not executed in order"},
		{"out of order", strings.Replace(fmt.Sprintf(good, ""), `"execution_count": 1`, `"execution_count": 3`, 1), "cell 2 was not executed in order"},
		{"no code", `{"cells": []}`, "no code cells"},
		{"not JSON", `{`, "unexpected end"},
		{"too large", fmt.Sprintf(good, `{"output_type": "stream", "name": "stdout", "text": "`+strings.Repeat("x", maxSize)+`"}`), "want at most 1500000"},
	} {
		path := filepath.Join(t.TempDir(), "n.ipynb")
		if err := os.WriteFile(path, []byte(c.notebook), 0o644); err != nil {
			t.Fatal(err)
		}
		problems := strings.Join(verify(path, []string{"/home/ann"}), "\n")
		if c.want == "" && problems != "" || !strings.Contains(problems, c.want) {
			t.Errorf("%s: problems are %q, want %q", c.name, problems, c.want)
		}
	}
}

func TestCommittedNotebooksAreInOrder(t *testing.T) {
	paths, err := filepath.Glob("../../*.ipynb")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d notebooks, error %v", len(paths), err)
	}
	for _, path := range paths {
		for _, problem := range verify(path, private()) {
			t.Errorf("%s: %s", path, problem)
		}
	}
}
