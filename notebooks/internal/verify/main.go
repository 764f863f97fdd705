// Command verify checks executed notebooks: every code cell ran, in order, none
// wrote to standard error or ended with an error (GoNB reports a cell whose
// program failed as done, so that nbconvert does not notice), no output shows a
// directory or user name of the machine, and no file is too large to look at.
//
//	go run ./internal/verify FILE.ipynb...
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
)

// maxSize is what a notebook may take: hosts show larger ones slowly or not at all.
const maxSize = 1_500_000

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		for _, problem := range verify(path, private()) {
			fmt.Fprintf(os.Stderr, "%s: %s\n", filepath.Base(path), problem)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// private returns what must not stand in an output.
func private() []string {
	words := []string{os.TempDir() + "/"}
	if home, err := os.UserHomeDir(); err == nil {
		words = append(words, home+"/")
	}
	if dir, err := os.Getwd(); err == nil {
		words = append(words, dir)
	}
	if u, err := user.Current(); err == nil && u.Username != "root" {
		words = append(words, u.Username)
	}
	if host, err := os.Hostname(); err == nil && len(host) > 3 {
		words = append(words, host)
	}
	return words
}

type notebook struct {
	Cells []cell `json:"cells"`
}

type cell struct {
	Type    string            `json:"cell_type"`
	Count   *int              `json:"execution_count"`
	Source  text              `json:"source"`
	Outputs []json.RawMessage `json:"outputs"`
}

type output struct {
	Type  string `json:"output_type"`
	Name  string `json:"name"` // of a stream
	Text  text   `json:"text"`
	Value string `json:"evalue"`
}

// text is a string or a list of lines.
type text string

func (t *text) UnmarshalJSON(data []byte) error {
	var lines []string
	if err := json.Unmarshal(data, &lines); err == nil {
		*t = text(strings.Join(lines, ""))
		return nil
	}
	return json.Unmarshal(data, (*string)(t))
}

// verify returns what is wrong with a notebook.
func verify(path string, private []string) (problems []string) {
	data, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	if len(data) > maxSize {
		problems = append(problems, fmt.Sprintf("%d bytes, want at most %d", len(data), maxSize))
	}
	var nb notebook
	if err := json.Unmarshal(data, &nb); err != nil {
		return append(problems, err.Error())
	}
	ran := 0
	for i, c := range nb.Cells {
		if c.Type != "code" {
			continue
		}
		ran++
		if c.Count == nil || *c.Count != ran {
			problems = append(problems, fmt.Sprintf("cell %d was not executed in order", i+1))
		}
		for _, raw := range c.Outputs {
			if problem := verifyOutput(raw, private); problem != "" {
				problems = append(problems, fmt.Sprintf("cell %d: %s\nin\n%s", i+1, problem, c.Source))
			}
		}
	}
	if ran == 0 {
		problems = append(problems, "no code cells")
	}
	return problems
}

func verifyOutput(raw json.RawMessage, private []string) string {
	var out output
	if err := json.Unmarshal(raw, &out); err != nil {
		return err.Error()
	}
	switch {
	case out.Type == "error":
		return "error: " + out.Value
	case out.Name == "stderr":
		return "wrote to standard error: " + string(out.Text)
	}
	for _, word := range private {
		if strings.Contains(string(raw), word) {
			return fmt.Sprintf("output contains %q", word)
		}
	}
	return ""
}
