package report

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/affine-go/affine/train"
)

// row returns the cells of a row of a page's tables, by its name.
func row(t *testing.T, page, name string) []string {
	t.Helper()
	m := regexp.MustCompile(`<tr><th scope="row">` + regexp.QuoteMeta(name) + `</th>(.*?)</tr>`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("there is no row %q", name)
	}
	return strings.Split(strings.TrimSuffix(strings.ReplaceAll(m[1], "<td>", ""), "</td>"), "</td>")
}

func TestRunsAreComparedWhereTheyDiffer(t *testing.T) {
	small, large := config(t, "moons", 80), config(t, "moons", 80)
	small.Hidden, large.Hidden = []int{4}, []int{12, 12}
	large.LR = 0.02
	page := runsPage(t, trained(t, small), trained(t, large))
	for name, want := range map[string]string{"hidden layers": "4|12, 12", "learning rate": "0.01|0.02", "dataset": "moons|moons", "ended": "completed|completed"} {
		if got := strings.Join(row(t, page, name), "|"); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if strings.Contains(page, `<th scope="row">optimizer</th>`) {
		t.Error("the optimizer is in the table, but is the same")
	}
	wantText(t, "the page", page, "The same in all", "optimizer adam")
	if strings.Contains(text(page), "different") {
		t.Error("the page warns of runs on the same rows")
	}
}

// The best of each result stands out, but not among runs on different rows.
func TestTheBestResultStandsOut(t *testing.T) {
	short, long, other := config(t, "moons", 80), config(t, "moons", 80), config(t, "moons", 80)
	short.Epochs, long.Epochs, other.Seed = 1, 40, 2
	page := runsPage(t, trained(t, short), trained(t, long), trained(t, other))
	losses := row(t, page, "test loss")
	if strings.Contains(losses[0], "<strong>") || !strings.Contains(losses[1], "<strong>") || strings.Contains(losses[2], "<strong>") {
		t.Errorf("losses are %v, want the second one to stand out", losses)
	}
}

func TestRunsOfDifferentTasksHaveChartsOfTheirOwn(t *testing.T) {
	moons, sine := trained(t, config(t, "moons", 60)), trained(t, config(t, "sine", 60))
	page := runsPage(t, moons, sine)
	wantText(t, "the page", page, "The runs do different tasks (classification, regression).", "cross-entropy (nats)", "mean squared error (target variances)")
	if a, b := row(t, page, "test accuracy"), row(t, page, "test R²"); a[1] != "–" || b[0] != "–" || a[0] == "–" || b[1] == "–" {
		t.Errorf("accuracies are %v and R² %v, want each for its task only", a, b)
	}
	iris := runsPage(t, moons, trained(t, config(t, "iris", 0)))
	wantText(t, "the page of two datasets", iris, "The runs are trained on different datasets")
}

// Runs that are called alike in different folders keep the folders' names.
func TestRunsAreToldApartByTheirNames(t *testing.T) {
	for _, c := range []struct{ names, want []string }{
		{[]string{"runs/a", "runs/b"}, []string{"a", "b"}},
		{[]string{"one/a", "two/a"}, []string{"one/a", "two/a"}},
	} {
		var runs []*Run
		for _, name := range c.names {
			runs = append(runs, &Run{Name: filepath.FromSlash(name)})
		}
		if got := strings.Join(labels(runs), " "); filepath.ToSlash(got) != strings.Join(c.want, " ") {
			t.Errorf("%v are called %s", c.names, got)
		}
	}
}

func TestManyRunsKeepColoursAndDashesApart(t *testing.T) {
	dir := trained(t, config(t, "xor", 40))
	var dirs []string
	for range 13 {
		dirs = append(dirs, dir)
	}
	looks := map[string]int{}
	for _, m := range regexp.MustCompile(`<path class="(line [^"]*)" d="[^"]*" data-series`).FindAllStringSubmatch(runsPage(t, dirs...), -1) {
		looks[m[1]]++
	}
	if len(looks) != 13 {
		t.Errorf("13 runs have %d looks: %v", len(looks), looks)
	}
}

func TestNoRunsAreAnError(t *testing.T) {
	var b bytes.Buffer
	if err := WriteRuns(&b, nil, Options{}); err == nil || b.Len() > 0 {
		t.Errorf("error is %v and %d bytes were written, want an error and none", err, b.Len())
	}
}

func TestEachRunCanBeRepeated(t *testing.T) {
	r, err := Load(trained(t, config(t, "xor", 40)))
	must(t, err)
	var b bytes.Buffer
	must(t, WriteRuns(&b, []*Run{r}, Options{Repeat: func(c train.Config) string { return "repeat " + c.Dataset }}))
	wantText(t, "the page", b.String(), "1 run compared", "How to repeat them", "repeat xor")
}
