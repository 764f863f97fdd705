package report

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
)

func wantText(t *testing.T, what, page string, wanted ...string) {
	t.Helper()
	shown := text(page)
	for _, want := range wanted {
		if !strings.Contains(shown, want) {
			t.Errorf("%s does not say %q", what, want)
		}
	}
}

func TestARunsPageTellsItsResults(t *testing.T) {
	dir := trained(t, config(t, "moons", 80))
	r := loaded(t, dir)
	page := runPage(t, dir)
	m := r.Metrics
	wantText(t, "the page", page,
		"moons", "A network of 2-16-16-2 units, made of fused linear layers with relu between them, trained with adam on 48 rows.",
		"completed: all 3 epochs are done", "test accuracy "+format.Score(m.TestAccuracy), "test loss "+format.Known(m.TestLoss),
		"best epoch "+format.Count(m.BestEpoch)+" of 3", "parameters 354", "median step "+format.Microseconds(m.StepMicroseconds),
		"train fit --dataset moons", "--lr 1", "cross-entropy (nats)", "epoch", "training 48", "validation 16", "test 16",
		m.Environment.Device, m.Environment.Go)
}

// 25 rows in batches of 10 are 3 steps an epoch, the last one of 5 rows.
func TestThroughputCountsRowsNotSteps(t *testing.T) {
	for steps, want := range map[int]float64{0: 0, 1: 5, 3: 12.5, 7: 30} {
		if got := Throughput(&train.Metrics{Steps: steps, WallSeconds: 2}, 10, 25); got != want {
			t.Errorf("%d steps in two seconds: %v rows a second, want %v", steps, got, want)
		}
	}
	if got := Throughput(&train.Metrics{Steps: 3}, 10, 25); got != 0 {
		t.Errorf("no time: %v rows a second", got)
	}
}

func TestAPageShowsWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   []string
	}{
		{"metrics", func(t *testing.T, dir string) { without(t, dir, train.MetricsFile) },
			[]string{"unfinished: 3 of 3 epochs are done", "metrics.json is missing: the run has not come to an end. To go on with it: fit --out", "Decision boundary"}},
		{"history", func(t *testing.T, dir string) { without(t, dir, train.HistoryFile) },
			[]string{"history.csv is missing: there are no curves.", "Decision boundary"}},
		{"model", func(t *testing.T, dir string) { without(t, dir, train.ModelFile) },
			[]string{"model.safetensors is missing: there is nothing to see of what the model learned.", "cross-entropy (nats)"}},
		{"everything but the settings", func(t *testing.T, dir string) {
			for _, name := range []string{train.MetricsFile, train.HistoryFile, train.ModelFile} {
				without(t, dir, name)
			}
		}, []string{"unfinished", "history.csv is missing", "metrics.json is missing", "model.safetensors is missing", "learning rate 0.01"}},
		{"epochs", func(t *testing.T, dir string) {
			without(t, dir, train.MetricsFile)
			must(t, os.WriteFile(filepath.Join(dir, train.HistoryFile), []byte("epoch,step,lr,train_loss,val_loss,val_accuracy,wall_s\n"), 0o644))
		}, []string{"unfinished: 0 of 3 epochs are done", "No epoch is finished: there are no curves."}},
	} {
		dir := trained(t, config(t, "moons", 60))
		c.damage(t, dir)
		wantText(t, "the page without "+c.name, runPage(t, dir), c.want...)
		wantText(t, "the page of runs without "+c.name, runsPage(t, dir, trained(t, config(t, "sine", 60))), "2 runs compared", "Trained on moons, sine.")
	}
}

// The rows may have moved since.
func TestAPageShowsThatTheRowsAreGone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rows.csv")
	d, err := datasets.Moons(60, 0.1, 1)
	must(t, err)
	var rows bytes.Buffer
	must(t, datasets.WriteCSV(&rows, d))
	must(t, os.WriteFile(file, rows.Bytes(), 0o644))
	c := config(t, "moons", 0)
	c.Dataset = "csv:" + file
	dir := trained(t, c)
	wantText(t, "the page", runPage(t, dir), "Decision boundary")

	must(t, os.WriteFile(file, []byte("a,b,c,class\n1,2,3,x\n2,3,4,y\n3,4,5,x\n4,5,6,y\n5,6,7,x\n6,7,8,y\n"), 0o644))
	wantText(t, "the page with other rows", runPage(t, dir), "The model cannot be asked about its rows", "features")
	must(t, os.Remove(file))
	page := runPage(t, dir)
	wantText(t, "the page without rows", page, "The rows of the run cannot be read", "rows.csv", "cross-entropy (nats)", "test accuracy")
	if strings.Contains(page, "Decision boundary") {
		t.Error("the page without rows shows a decision boundary")
	}
}

func TestMalformedFilesAreErrors(t *testing.T) {
	for _, c := range []struct{ file, content, want string }{
		{train.ConfigFile, "{", train.ConfigFile},
		{train.HistoryFile, "epoch,step\n", "line 1"},
		{train.HistoryFile, "", "empty"},
		{train.MetricsFile, "{\"dataset\": 3}", train.MetricsFile},
		{train.ModelFile, "nonsense", train.ModelFile},
	} {
		dir := trained(t, config(t, "xor", 40))
		must(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o644))
		r, err := Load(dir)
		if err == nil {
			err = r.Complete(nil)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s with %q: error is %v, want one line with %q", c.file, c.content, err, c.want)
		}
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "holds no run: config.json is missing") {
		t.Errorf("an empty directory gives %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("no directory gives %v", err)
	}
}

// Names come from files: they must not become markup or script.
func TestNamesOfColumnsAndClassesAreOnlyText(t *testing.T) {
	const evil = `</script><script>alert(1)</script><img src=x onerror=alert(2)>"'`
	file := filepath.Join(t.TempDir(), "evil.csv")
	lines := "\"" + strings.ReplaceAll(evil, `"`, `""`) + "\",second,class\n"
	for i := range 40 {
		lines += []string{"0.1,0.2,", "0.9,0.4,"}[i%2] + "\"" + []string{"<b>bold</b>", "${x} `y` {{z}}"}[i%2] + "\"\n"
	}
	must(t, os.WriteFile(file, []byte(lines), 0o644))
	c := config(t, "moons", 0)
	c.Dataset, c.Task = "csv:"+file, datasets.Classification
	page := runPage(t, trained(t, c))
	for _, markup := range []string{"<script>alert", "<img src=x", "<b>bold"} {
		if strings.Contains(page, markup) {
			t.Errorf("%s stands on the page as markup", markup)
		}
	}
	wantText(t, "the page", regexp.MustCompile(`(?s)<script.*?</script>`).ReplaceAllString(page, ""), "${x} `y` {{z}}")
}

func TestPartsWithoutRowsAreShownAsSuch(t *testing.T) {
	c := config(t, "moons", 60)
	c.Fractions = datasets.Fractions{Validation: 0.25}
	wantText(t, "the page without test rows", runPage(t, trained(t, c)), "test accuracy –", "How many validation rows of each class", "test 0 – –")
	c.Fractions, c.Monitor = datasets.Fractions{}, train.MonitorTrainLoss
	wantText(t, "the page with training rows only", runPage(t, trained(t, c)), "there are no validation rows", "How many training rows of each class")
	c = config(t, "sine", 60)
	c.Fractions, c.Monitor = datasets.Fractions{}, train.MonitorTrainLoss
	wantText(t, "the page of a regression with training rows only", runPage(t, trained(t, c)), "The largest errors on 60 training rows")
}

func TestARunThatDivergedSaysSo(t *testing.T) {
	c := config(t, "linear", 60)
	c.Optimizer, c.LR = "sgd", 1e30
	page := runPage(t, trained(t, c))
	wantText(t, "the page", page, "not finite", "No epoch is finished: there are no curves.")
	if !strings.Contains(page, `class="outcome bad"`) {
		t.Error("the outcome does not stand out")
	}
}

// Weights can be finite and yet give outputs that are not.
func TestAModelThatOverflowsIsShown(t *testing.T) {
	for _, dataset := range []string{"moons", "sine", "friedman1", "glyphs"} {
		c := config(t, dataset, 60)
		r := loaded(t, trained(t, c))
		parts, err := c.Load()
		must(t, err)
		tr, err := train.NewTrainer(c, parts)
		must(t, err)
		for _, w := range tr.Model().Weights() {
			for i := range w.Float32s() {
				w.Float32s()[i] = 3e38
			}
		}
		r.Model, err = tr.Predictor()
		must(t, err)
		var b bytes.Buffer
		must(t, WriteRun(&b, r, Options{}))
		markup := regexp.MustCompile(`(?s)<script>.*?</script>|<section class="missing".*?</section>`).ReplaceAllString(b.String(), "")
		if bad := regexp.MustCompile(`.{0,40}(?:NaN|Inf).{0,20}`).FindString(markup); bad != "" {
			t.Errorf("%s: %s", dataset, bad)
		}
	}
}
