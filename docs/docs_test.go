// Package docs holds the module's documents; its test keeps them true.
package docs

import (
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
