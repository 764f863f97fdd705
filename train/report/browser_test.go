//go:build browser

package report

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/affine-go/affine/internal/browser"
	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
)

// These tests look at pages in a real Chromium: the program that the
// environment variable CHROMIUM names, or chromium. Where AFFINE_SCREENSHOTS
// names a folder, pictures of every page go there for people to look at.

func openBrowser(t *testing.T) *browser.Browser {
	t.Helper()
	b, err := browser.Start(cmp.Or(os.Getenv("CHROMIUM"), "chromium"))
	must(t, err)
	t.Cleanup(func() { must(t, b.Close()) })
	return b
}

// pageFiles writes every kind of page into files, by name.
func pageFiles(t *testing.T) map[string]string {
	t.Helper()
	all := pages(t)
	unfinished := trained(t, config(t, "moons", 60))
	without(t, unfinished, train.MetricsFile)
	all["unfinished"] = runPage(t, unfinished)
	without(t, unfinished, train.HistoryFile)
	all["gaps"] = runsPage(t, unfinished, trained(t, config(t, "iris", 0)))
	dir, files := t.TempDir(), map[string]string{}
	for name, page := range all {
		files[name] = filepath.Join(dir, name+".html")
		must(t, os.WriteFile(files[name], []byte(page), 0o644))
	}
	return files
}

// shownChart is what a page says of one of its charts. Places are in CSS pixels of
// the window, with the chart in the middle of it.
type shownChart struct {
	Title   string
	Nearest string
	X, Y    struct {
		Lo, Hi float64
		Log    bool
	}
	Series []struct {
		Name string
		X, Y []*float64
	}
	Paths []struct {
		Name             string
		Length, Commands float64
		Inside           bool
	}
	Left, Top, Wide, High float64
}

const readChart = `(() => {
  const f = document.querySelectorAll('figure.chart')[%d], p = f.querySelector('.plot'), svg = p.querySelector('svg');
  p.scrollIntoView({block: 'center'});
  const box = p.getBoundingClientRect(), view = svg.viewBox.baseVal;
  const paths = [...f.querySelectorAll('path[data-series]')].map((e) => {
    const b = e.getBBox();
    return {name: e.dataset.series, length: e.getTotalLength(), commands: (e.getAttribute('d').match(/[ML]/g) || []).length,
      inside: b.x >= -20 && b.y >= -20 && b.x + b.width <= view.width + 20 && b.y + b.height <= view.height + 20};
  });
  return {...JSON.parse(f.querySelector('script').textContent), title: f.querySelector('h3').textContent, paths,
    left: box.left, top: box.top, wide: box.width, high: box.height};
})()`

func shownCharts(t *testing.T, b *browser.Browser, each func(i int, p shownChart)) {
	t.Helper()
	var n int
	must(t, b.Evaluate(`document.querySelectorAll('figure.chart').length`, &n))
	for i := range n {
		var p shownChart
		must(t, b.Evaluate(fmt.Sprintf(readChart, i), &p))
		each(i, p)
	}
}

func TestPagesInABrowser(t *testing.T) {
	b := openBrowser(t)
	for name, file := range pageFiles(t) {
		t.Run(name, func(t *testing.T) {
			must(t, b.View(1280, 900, 1, false))
			must(t, b.Open(file))
			shownCharts(t, b, func(i int, p shownChart) {
				chartHasItsPoints(t, &p)
				pointerIsAnswered(t, b, i, &p)
				keysAreAnswered(t, b, i)
			})
			commandsAreCopied(t, b)
			for _, width := range []int64{1400, 1280, 800, 700, 500, 390, 320} {
				must(t, b.View(width, 844, 1, width == 390))
				must(t, b.Open(file))
				nothingIsCut(t, b, width)
			}
			pdf, err := b.PDF()
			if err != nil || !strings.HasPrefix(string(pdf), "%PDF") {
				t.Errorf("does not print: %v", err)
			}
			nothingWentWrong(t, b, file)
			screenshots(t, b, name, file)
		})
	}
}

// Without scripts a page still shows its charts, and no empty read-out.
func TestPagesWithoutScripts(t *testing.T) {
	b := openBrowser(t)
	must(t, b.Scripts(false))
	for name, file := range pageFiles(t) {
		must(t, b.Open(file))
		var shown, drawn int
		must(t, b.Evaluate(`[...document.querySelectorAll('.readout, .cursor, .copy')].filter((e) => e.getClientRects().length).length`, &shown))
		must(t, b.Evaluate(`[...document.querySelectorAll('path[data-series]')].filter((e) => e.getTotalLength() > 0).length`, &drawn))
		if shown > 0 || drawn == 0 {
			t.Errorf("%s shows %d things that need scripts and %d series", name, shown, drawn)
		}
	}
}

// chartHasItsPoints compares what is drawn with the numbers.
func chartHasItsPoints(t *testing.T, p *shownChart) {
	t.Helper()
	drawn := map[string]float64{}
	for _, path := range p.Paths {
		drawn[path.Name] = path.Commands
		if path.Commands > 1 && path.Length == 0 || !path.Inside {
			t.Errorf("%s: %s has the length %v, inside the chart: %t", p.Title, path.Name, path.Length, path.Inside)
		}
	}
	for _, s := range p.Series {
		points := 0
		for _, y := range s.Y {
			if y != nil && (!p.Y.Log || *y > 0) {
				points++
			}
		}
		if got := int(drawn[s.Name]); got < points {
			t.Errorf("%s: %s has %d points, %d are drawn", p.Title, s.Name, points, got)
		}
	}
}

// share returns where a value stands on an axis from lo to hi.
func share(v, lo, hi float64, log bool) float64 {
	if log {
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	return (v - lo) / (hi - lo)
}

type readoutShown struct {
	Hidden      bool
	Title       string
	Names       []string
	Values      []string
	Left, Right float64
	Window      float64
	Dots        int
}

const readReadout = `(() => {
  const f = document.querySelectorAll('figure.chart')[%d], r = f.querySelector('.readout'), box = r.getBoundingClientRect();
  return {hidden: r.hidden, title: r.querySelector('p')?.textContent ?? '', names: [...r.querySelectorAll('dt')].map((e) => e.textContent),
    values: [...r.querySelectorAll('dd')].map((e) => e.textContent), left: box.left, right: box.right, window: innerWidth,
    dots: f.querySelectorAll('.dot').length};
})()`

// pointerIsAnswered points at values of each series and reads them.
func pointerIsAnswered(t *testing.T, b *browser.Browser, i int, p *shownChart) {
	t.Helper()
	for _, s := range p.Series {
		for _, at := range []int{0, len(s.X) / 3, len(s.X) - 1} {
			if at < 0 || s.X[at] == nil || s.Y[at] == nil || p.Y.Log && *s.Y[at] <= 0 {
				continue
			}
			x := p.Left + p.Wide*share(*s.X[at], p.X.Lo, p.X.Hi, p.X.Log)
			y := p.Top + p.High*(1-share(*s.Y[at], p.Y.Lo, p.Y.Hi, p.Y.Log))
			must(t, b.MovePointer(min(max(x, p.Left+1), p.Left+p.Wide-1), min(max(y, p.Top+1), p.Top+p.High-1)))
			var r readoutShown
			must(t, b.Evaluate(fmt.Sprintf(readReadout, i), &r))
			if r.Hidden || r.Title == "" || r.Dots == 0 || r.Left < 0 || r.Right > r.Window {
				t.Fatalf("%s: at point %d of %s the read-out is %+v", p.Title, at, s.Name, r)
			}
			if p.Nearest != "x" {
				continue // of points that cover each other any may answer
			}
			found := false
			for j, name := range r.Names {
				found = found || name == s.Name && near(t, r.Values[j], *s.Y[at])
			}
			if !found {
				t.Errorf("%s: at %v the read-out says %v %v, want %s to be %v", p.Title, *s.X[at], r.Names, r.Values, s.Name, *s.Y[at])
			}
		}
	}
	must(t, b.MovePointer(1, 1))
	var r readoutShown
	must(t, b.Evaluate(fmt.Sprintf(readReadout, i), &r))
	if !r.Hidden || r.Dots > 0 {
		t.Errorf("%s: the read-out stays when the pointer leaves: %+v", p.Title, r)
	}
}

// near reports whether a written number is x to four digits.
func near(t *testing.T, written string, x float64) bool {
	t.Helper()
	plain := strings.NewReplacer("\u202f", "", "−", "-", "·10", "e", "⁻", "-", "⁰", "0", "¹", "1", "²", "2", "³", "3", "⁴", "4", "⁵", "5", "⁶", "6", "⁷", "7", "⁸", "8", "⁹", "9")
	got, err := strconv.ParseFloat(plain.Replace(written), 64)
	if err != nil {
		t.Errorf("%q is no number", written)
		return false
	}
	return math.Abs(got-x) <= 6e-3*math.Abs(x)
}

// The script of a page writes numbers as the page itself does.
func TestReadoutsWriteNumbersAsThePageDoes(t *testing.T) {
	b := openBrowser(t)
	must(t, b.Open(pageFiles(t)["moons"]))
	for _, x := range []float64{0, 1, -2, 0.123456, 1.5e-7, -1e-9, 1e10, 9999.4, 9999.6, 12345.6, -123456, 1234567, 0.00012345, 0.000012345, 1e6, 1e-4, 100, 33.333333} {
		var got string
		must(t, b.Evaluate(fmt.Sprintf("number(%v)", x), &got))
		if want := format.Number(x); got != want {
			t.Errorf("%v is written %q by the script, %q by the page", x, got, want)
		}
	}
}

func keysAreAnswered(t *testing.T, b *browser.Browser, i int) {
	t.Helper()
	var role, first, second string
	must(t, b.Evaluate(fmt.Sprintf(`(() => { const p = document.querySelectorAll('.plot')[%d]; p.focus(); return p.getAttribute('role') + ' ' + !!p.ariaLabel; })()`, i), &role))
	text := fmt.Sprintf(`document.querySelectorAll('.plot')[%d].getAttribute('aria-valuetext')`, i)
	must(t, b.Press("Home"))
	must(t, b.Evaluate(text, &first))
	must(t, b.Press("End"))
	must(t, b.Press("ArrowLeft"))
	must(t, b.Evaluate(text, &second))
	if role != "slider true" || first == "" || second == "" || first == second {
		t.Errorf("chart %d is a %s and says %q, then %q", i, role, first, second)
	}
	must(t, b.Press("Escape"))
	var r readoutShown
	must(t, b.Evaluate(fmt.Sprintf(readReadout, i), &r))
	if !r.Hidden {
		t.Errorf("chart %d: Escape leaves the read-out", i)
	}
}

func commandsAreCopied(t *testing.T, b *browser.Browser) {
	t.Helper()
	var said []string
	must(t, b.Evaluate(`(async () => {
  const buttons = [...document.querySelectorAll('.copy')];
  for (const button of buttons) button.click();
  await new Promise((done) => setTimeout(done, 50));
  return buttons.map((button) => button.textContent);
})()`, &said))
	for i, s := range said {
		if s != "Copied" && s != "Selected" {
			t.Errorf("button %d says %q after a click", i, s)
		}
	}
}

// nothingIsCut looks for text that runs out of its box or the window, and for
// labels of an axis that run into each other. What scrolls is not cut.
func nothingIsCut(t *testing.T, b *browser.Browser, width int64) {
	t.Helper()
	var wrong []string
	must(t, b.Evaluate(fmt.Sprintf(`((width) => {
  const wrong = [];
  const page = document.documentElement;
  if (page.scrollWidth > width) wrong.push('the page is ' + page.scrollWidth + ' wide');
  for (const e of document.querySelectorAll('main *')) {
    if (e.closest('.scroll, svg, details, [hidden]') || !e.getClientRects().length) continue;
    const box = e.getBoundingClientRect();
    if (box.right > width + 1 || box.left < -1) wrong.push('outside: ' + e.className + ' ' + e.textContent.slice(0, 40));
    if (e.scrollWidth > e.clientWidth + 1 && e.clientWidth && !e.closest('.frame')) wrong.push('cut: ' + e.className + ' ' + e.textContent.slice(0, 40));
  }
  for (const e of document.querySelectorAll('.tiles dd:not(.note), main table td, main table strong, .ticks span')) {
    const text = document.createRange();
    text.selectNodeContents(e);
    if (new Set([...text.getClientRects()].map((r) => Math.round(r.top))).size > 1) wrong.push('wraps: ' + e.textContent);
  }
  for (const ticks of document.querySelectorAll('.ticks')) {
    const boxes = [...ticks.children].filter((e) => e.getClientRects().length).map((e) => e.getBoundingClientRect());
    boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) wrong.push('labels overlap: ' + ticks.textContent);
    }));
    const card = ticks.closest('.card').getBoundingClientRect();
    if (boxes.some((a) => a.left < card.left || a.right > card.right)) wrong.push('a label leaves its card: ' + ticks.textContent);
  }
  return wrong;
})(%d)`, width), &wrong))
	for _, w := range wrong {
		t.Errorf("%d pixels wide: %s", width, w)
	}
}

// nothingWentWrong looks at what the browser told while the page was open: no
// message of an error, no request but for the page and what is in it.
func nothingWentWrong(t *testing.T, b *browser.Browser, file string) {
	t.Helper()
	told := b.Told()
	for _, message := range told.Messages {
		t.Errorf("the console says %s", message)
	}
	for _, url := range told.Requests {
		if !strings.HasPrefix(url, "data:") && !strings.HasSuffix(url, filepath.ToSlash(file)) {
			t.Errorf("the page asks for %s", url)
		}
	}
}

func screenshots(t *testing.T, b *browser.Browser, name, file string) {
	t.Helper()
	folder := os.Getenv("AFFINE_SCREENSHOTS")
	if folder == "" {
		return
	}
	must(t, os.MkdirAll(folder, 0o755))
	for _, view := range []struct {
		name          string
		width, height int64
		dark          bool
	}{{"desktop", 1400, 900, false}, {"tablet", 800, 900, false}, {"phone", 390, 844, false}, {"dark", 1280, 900, true}} {
		must(t, b.View(view.width, view.height, 1, view.dark))
		must(t, b.Open(file))
		png, err := b.Screenshot()
		must(t, err)
		must(t, os.WriteFile(filepath.Join(folder, name+"-"+view.name+".png"), png, 0o644))
	}
	pdf, err := b.PDF()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(folder, name+"-print.pdf"), pdf, 0o644))
}
