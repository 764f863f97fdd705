package report

import (
	"bytes"
	"context"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/affine-go/affine/train"
	"github.com/affine-go/affine/train/compare"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// config returns settings for a short training.
func config(t *testing.T, dataset string, rows int) train.Config {
	t.Helper()
	c := train.DefaultConfig(dataset, nil)
	c.Device, c.Seed, c.Epochs, c.Rows = "cpu", 1, 3, rows
	return c
}

// trained keeps a short training in a directory.
func trained(t *testing.T, c train.Config) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	run, err := train.Fit(context.Background(), c, train.InDirectory(dir))
	must(t, err)
	must(t, run.Close())
	return dir
}

// loaded reads all that there is of a run.
func loaded(t *testing.T, dir string) *Run {
	t.Helper()
	r, err := Load(dir)
	must(t, err)
	must(t, r.Complete(nil))
	return r
}

// runPage writes the page of a run in a directory.
func runPage(t *testing.T, dir string) string {
	t.Helper()
	var b bytes.Buffer
	must(t, WriteRun(&b, loaded(t, dir), Options{Repeat: func(c train.Config) string { return "train fit --dataset " + c.Dataset + " \\\n  --lr 1" }}))
	return b.String()
}

func runsPage(t *testing.T, dirs ...string) string {
	t.Helper()
	var runs []*Run
	for _, dir := range dirs {
		r, err := Load(dir)
		must(t, err)
		runs = append(runs, r)
	}
	var b bytes.Buffer
	must(t, WriteRuns(&b, runs, Options{}))
	return b.String()
}

// compared makes a short comparison.
func compared(t *testing.T, c train.Config, steps int) *Comparison {
	t.Helper()
	r, err := compare.Run(context.Background(), c, steps, nil)
	must(t, err)
	return &Comparison{Result: r, Config: c, Environment: train.Environment{OS: "linux", Arch: "amd64", Go: "go1.25", Threads: 2, CPUs: 2, Device: "a processor"}, Command: "train compare --dataset " + c.Dataset}
}

func comparisonPage(t *testing.T, c *Comparison) string {
	t.Helper()
	var b bytes.Buffer
	must(t, WriteComparison(&b, c))
	return b.String()
}

// pages writes one page of each kind, by name.
func pages(t *testing.T) map[string]string {
	moons, sine := trained(t, config(t, "moons", 60)), trained(t, config(t, "sine", 60))
	return map[string]string{
		"moons":      runPage(t, moons),
		"iris":       runPage(t, trained(t, config(t, "iris", 0))),
		"glyphs":     runPage(t, trained(t, config(t, "glyphs", 120))),
		"sine":       runPage(t, sine),
		"friedman1":  runPage(t, trained(t, config(t, "friedman1", 60))),
		"runs":       runsPage(t, moons, sine),
		"comparison": comparisonPage(t, compared(t, config(t, "moons", 60), 6)),
	}
}

var (
	headingTag = regexp.MustCompile(`(?s)<h([1-3])[^>]*>(.*?)</h[1-3]>`)
	anyTag     = regexp.MustCompile(`<[^>]*>`)
)

// outline lists the headings of a page, deeper ones behind more dashes.
func outline(page string) string {
	var lines []string
	for _, m := range headingTag.FindAllStringSubmatch(page, -1) {
		lines = append(lines, strings.Repeat("-", int(m[1][0]-'1'))+text(m[2]))
	}
	return strings.Join(lines, "\n")
}

// text is what a reader sees of a piece of a page.
func text(piece string) string {
	return html.UnescapeString(strings.Join(strings.Fields(anyTag.ReplaceAllString(piece, " ")), " "))
}

// without removes a file of a run.
func without(t *testing.T, dir, name string) {
	t.Helper()
	must(t, os.Remove(filepath.Join(dir, name)))
}
