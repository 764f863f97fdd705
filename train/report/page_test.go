package report

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestEveryPageHasItsParts(t *testing.T) {
	facts := "\n-Timing, environment and settings\n--Timing\n--Environment\n--Data\n--Model\n--Training"
	want := map[string]string{
		"moons": "moons\n-How to repeat it\n-How it learned\n--Loss\n--Accuracy\n-What it learned\n--Decision boundary\n--Confusion matrix\n--How good it is\n-The worst mistakes" + facts,
		"iris":  "iris\n-How to repeat it\n-How it learned\n--Loss\n--Accuracy\n--Learning rate\n-What it learned\n--Confusion matrix\n--How good it is\n-The worst mistakes" + facts,
		"glyphs": "glyphs\n-How to repeat it\n-How it learned\n--Loss\n--Accuracy\n--Learning rate\n-What it learned\n--Confusion matrix\n--How good it is\n-The worst mistakes" +
			facts,
		"sine":       "sine\n-How to repeat it\n-How it learned\n--Loss\n--R²\n--Learning rate\n-What it learned\n--Fitted curve\n--How good it is\n-The worst mistakes" + facts,
		"friedman1":  "friedman1\n-How to repeat it\n-How it learned\n--Loss\n--R²\n--Learning rate\n-What it learned\n--Predictions against targets\n--How good it is\n-The worst mistakes" + facts,
		"runs":       "2 runs compared\n-Results\n-How they learned\n--Validation loss\n--Validation accuracy\n--Validation loss\n--Validation R²\n-Settings\n--The same in all",
		"comparison": "moons: fused and built-in\n-Side by side\n-Step by step\n--Loss\n--Difference of the losses\n--How long a step takes\n-How to repeat it\n-Environment and settings\n--Environment\n--Data\n--Model\n--Training",
	}
	for name, page := range pages(t) {
		if got := outline(page); got != want[name] {
			t.Errorf("%s has the headings\n%s\nwant\n%s", name, got, want[name])
		}
	}
}

// Nothing on a page may lead off it: no address but data in it and places on
// it, no script but the one whose hash the policy allows.
func TestPagesStandAlone(t *testing.T) {
	address := regexp.MustCompile(`(?: (?:src|href|action|srcset|poster)="|url\(["']?)([^"')]*)`)
	policy := regexp.MustCompile(`script-src 'sha256-([^']+)'`)
	script := regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	for name, page := range pages(t) {
		markup := script.ReplaceAllString(page, "")
		for _, m := range address.FindAllStringSubmatch(markup, -1) {
			if !strings.HasPrefix(m[1], "data:") && !strings.HasPrefix(m[1], "#") {
				t.Errorf("%s leads to %s", name, m[1])
			}
		}
		for _, foreign := range []string{"http://", "https://", "@import", "ZgotmplZ"} {
			if strings.Contains(page, foreign) {
				t.Errorf("%s contains %q", name, foreign)
			}
		}
		scripts := script.FindAllStringSubmatch(page, -1)
		if len(scripts) != 1 {
			t.Fatalf("%s has %d scripts, want one", name, len(scripts))
		}
		sum := sha256.Sum256([]byte(scripts[0][1]))
		if m := policy.FindStringSubmatch(page); m == nil || m[1] != base64.StdEncoding.EncodeToString(sum[:]) {
			t.Errorf("%s: the policy does not allow the page's own script", name)
		}
	}
}

// Tags close in the order in which they were opened, ids are there once, and
// what refers to an id finds it.
func TestPagesAreWellFormed(t *testing.T) {
	tag := regexp.MustCompile(`<(/?)([a-zA-Z][a-zA-Z0-9]*)((?:"[^"]*"|[^">])*?)(/?)>`)
	alone := []string{"meta", "link", "img"}
	id, reference := regexp.MustCompile(` id="([^"]*)"`), regexp.MustCompile(` (?:aria-labelledby="|href="#)([^"]*)"`)
	raw := regexp.MustCompile(`(?s)(<script[^>]*>).*?</script>|<style>.*?</style>`)
	for name, page := range pages(t) {
		page = raw.ReplaceAllString(page, "")
		var open []string
		for _, m := range tag.FindAllStringSubmatch(page, -1) {
			switch {
			case slices.Contains(alone, m[2]) || m[4] == "/":
			case m[1] == "":
				open = append(open, m[2])
			case len(open) == 0 || open[len(open)-1] != m[2]:
				t.Fatalf("%s: </%s> closes %v", name, m[2], open)
			default:
				open = open[:len(open)-1]
			}
		}
		if len(open) > 0 {
			t.Errorf("%s leaves %v open", name, open)
		}
		seen := map[string]int{}
		for _, m := range id.FindAllStringSubmatch(page, -1) {
			if seen[m[1]]++; seen[m[1]] > 1 {
				t.Errorf("%s has the id %q twice", name, m[1])
			}
		}
		for _, m := range reference.FindAllStringSubmatch(page, -1) {
			if seen[m[1]] == 0 {
				t.Errorf("%s refers to %q, which is not there", name, m[1])
			}
		}
	}
}

// Every chart has what a reader needs who cannot see it, and numbers for the
// read-out that agree in length.
func TestEveryChartCanBeReadWithoutSeeingIt(t *testing.T) {
	figure := regexp.MustCompile(`(?s)<figure.*?</figure>`)
	data := regexp.MustCompile(`(?s)<script type="application/json">(.*?)</script>`)
	for name, page := range pages(t) {
		figures := figure.FindAllString(page, -1)
		if len(figures) == 0 {
			t.Errorf("%s has no chart", name)
		}
		if name == "iris" && !strings.Contains(page, "predicted class") {
			t.Error("iris has no confusion matrix")
		}
		for i, f := range figures {
			for _, want := range []string{`role="img" aria-label="`, "<figcaption>", `<p class="label across">`, `<p class="label up">`, `class="legend"`, "<table", "data-series="} {
				if !strings.Contains(f, want) {
					t.Errorf("%s: chart %d has no %s", name, i, want)
				}
			}
			m := data.FindStringSubmatch(f)
			if m == nil {
				t.Fatalf("%s: chart %d has no data", name, i)
			}
			var r struct {
				Series []struct {
					Name  string
					X, Y  []*float64
					Notes []string
				}
			}
			must(t, json.Unmarshal([]byte(m[1]), &r))
			if len(r.Series) == 0 {
				t.Errorf("%s: chart %d has no series", name, i)
			}
			for _, s := range r.Series {
				if len(s.X) != len(s.Y) || s.Notes != nil && len(s.Notes) != len(s.X) {
					t.Errorf("%s: series %q has %d x, %d y and %d notes", name, s.Name, len(s.X), len(s.Y), len(s.Notes))
				}
			}
		}
	}
}

func TestTheSameFilesGiveTheSameBytes(t *testing.T) {
	for _, dataset := range []string{"moons", "glyphs", "sine"} {
		dir := trained(t, config(t, dataset, 100))
		if first, again := runPage(t, dir), runPage(t, dir); first != again {
			t.Errorf("%s: another page of the same run", dataset)
		}
		if first, again := runsPage(t, dir, dir), runsPage(t, dir, dir); first != again {
			t.Errorf("%s: another page of the same runs", dataset)
		}
	}
}

func TestFlagsAreTakenApartWithoutLoss(t *testing.T) {
	for _, command := range []string{"train", "train fit --n 3 \\\n  --lr 0.1 --target='a --b'", "a --b", "--a"} {
		joined := ""
		for _, f := range flags(command) {
			if strings.Contains(f.Text, "\n") {
				t.Errorf("%q has a line's end in it", f.Text)
			}
			joined += f.Text + f.Space
		}
		if joined != command {
			t.Errorf("%q came back as %q", command, joined)
		}
	}
}
