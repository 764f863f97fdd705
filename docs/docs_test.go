// Package docs holds the module's documents; its test keeps them true.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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

// handWritten calls f for each Go file that no program wrote.
func handWritten(t *testing.T, f func(path string, text []byte)) {
	t.Helper()
	generated := regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != ".." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case filepath.Ext(path) != ".go":
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
	handWritten(t, func(path string, _ []byte) { files[filepath.Dir(path)]++ })
	for folder, n := range files {
		if n > most {
			t.Errorf("%s has %d files written by hand, want at most %d", folder, n, most)
		}
	}
}
