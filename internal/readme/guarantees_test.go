package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every test that docs/guarantees.md names is in the package that it names.
func TestGuaranteesNameTestsThatExist(t *testing.T) {
	tests := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`")
	cell := regexp.MustCompile("((?:`(?:Test|Fuzz)\\w+`(?:, )?)+) in ([\\w/]+)")
	found := 0
	for _, line := range strings.Split(read(t, "docs/guarantees.md"), "\n") {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		inCells := 0
		for _, group := range cell.FindAllStringSubmatch(line, -1) {
			there := testsOf(t, group[2])
			for _, name := range tests.FindAllStringSubmatch(group[1], -1) {
				inCells++
				if !there[name[1]] {
					t.Errorf("%s has no %s", group[2], name[1])
				}
			}
		}
		if all := len(tests.FindAllString(line, -1)); all != inCells {
			t.Errorf("%d of %d tests have no package: %s", all-inCells, all, line)
		}
		found += inCells
	}
	if found < 20 {
		t.Errorf("found %d tests, want those of every table", found)
	}
}

// testsOf returns the functions of a package's test files.
func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d test files, %v", folder, len(files), err)
	}
	there := map[string]bool{}
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`(?m)^func (\w+)\(`).FindAllSubmatch(source, -1) {
			there[string(found[1])] = true
		}
	}
	return there
}
