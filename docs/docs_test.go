// Package docs holds the module's documents; its test keeps them true.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	code = regexp.MustCompile("`([^`\n]+)`")
	path = regexp.MustCompile(`^(\.?[a-z][\w.-]*/)+[\w.-]*$|^[A-Z]+\.md$`)
)

// Every file and folder that a document names is there.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	var documents []string
	for _, pattern := range []string{"../*.md", "*.md", "../notebooks/*.md", "../internal/*/README.md", "../internal/cpu/asm/README.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	if len(documents) < 5 {
		t.Fatalf("found %q", documents)
	}
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", document, m[1])
			}
		}
		if !strings.HasSuffix(document, "ARCHITECTURE.md") && !strings.HasSuffix(document, "CONTRIBUTING.md") {
			continue // others also name files of the reader's
		}
		for _, m := range code.FindAllStringSubmatch(string(text), -1) {
			name := strings.TrimPrefix(m[1], "./")
			if !path.MatchString(name) || strings.Contains(name, "NAME") || strings.HasPrefix(name, "gorgonia.org/") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", name)); err != nil {
				t.Errorf("%s names `%s`, which is not there", document, name)
			}
		}
	}
}

// handWritten calls f for each file with one of the extensions that no program
// wrote.
func handWritten(t *testing.T, extensions string, f func(path string, text []byte)) {
	t.Helper()
	generated := regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains(strings.Fields(extensions), filepath.Ext(path)):
			return nil
		}
		text, err := os.ReadFile(path)
		if err == nil && !generated.Match(text) {
			f(filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))), text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A folder has few enough files to see what it holds: a new one first looks for
// the file that it belongs in.
func TestFoldersAreSmall(t *testing.T) {
	const most = 25
	files := map[string]int{}
	handWritten(t, ".go", func(path string, _ []byte) { files[filepath.Dir(path)]++ })
	for folder, n := range files {
		if n > most {
			t.Errorf("%s has %d files written by hand, want at most %d", folder, n, most)
		}
	}
}

// Softplus and Lion were added by CONTRIBUTING's lists: the files of a list name
// them, and the only others by hand are those that use them.
func TestContributingListsWhatIsToBeTouched(t *testing.T) {
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, added := range []struct {
		heading, name, word string
		uses                []string // what Lion and Softplus are good for elsewhere
	}{
		{"## Add an activation", "Softplus", `\bSoftplus\b`, []string{
			"layer/loss.go",       // the binary cross-entropy is made of it
			"train/vm/builtin.go", // Gorgonia's op of this name
		}},
		{"## Add an optimizer", "Lion", `(?i)\blion(\b|AVX|##)`, []string{
			"train/optim/gorgonia_formulas.go", // a step of it takes signs
		}},
	} {
		_, list, ok := strings.Cut(string(text), added.heading)
		if !ok {
			t.Fatalf("CONTRIBUTING.md has no %q", added.heading)
		}
		list, _, _ = strings.Cut(list, "\n## ")
		listed := map[string]bool{}
		for _, m := range regexp.MustCompile("(?m)^\\d+\\. `([^`]+)`").FindAllStringSubmatch(list, -1) {
			listed[strings.ReplaceAll(m[1], "NAME", strings.ToLower(added.name))] = true
		}
		if len(listed) == 0 || len(listed) > 6 {
			t.Errorf("%s takes %d files, want at most 6", added.heading, len(listed))
		}
		word := regexp.MustCompile(added.word)
		naming := map[string]bool{}
		handWritten(t, ".go .cu .cuh", func(path string, text []byte) {
			if !strings.HasSuffix(path, "_test.go") && word.Match(withoutComments(text)) {
				naming[path] = true
			}
		})
		for path := range listed {
			if !naming[path] {
				t.Errorf("%s lists %s, which does not name %s", added.heading, path, added.name)
			}
		}
		for path := range naming {
			if !listed[path] && !slices.Contains(added.uses, path) {
				t.Errorf("%s names %s, but %q does not list it", path, added.name, added.heading)
			}
		}
	}
}

func withoutComments(text []byte) []byte { return comment.ReplaceAll(text, nil) }

var comment = regexp.MustCompile(`//.*`)
