package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/affine-go/affine/internal/format"
	"github.com/affine-go/affine/train"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// showProgress returns a callback that shows a training as it goes: on a
// terminal a bar that leaves a line for each tenth of the epochs, elsewhere the
// lines alone.
func showProgress(w io.Writer) train.Callback {
	if f, ok := fileOf(w); ok && isTerminal(w) {
		b := &progressBar{w: f}
		return train.Callback{Name: "progress", OnStart: b.start, OnStep: b.step, OnEpoch: b.epoch, OnEnd: b.end}
	}
	l := &progressLines{w: w, first: true}
	return train.Callback{Name: "progress", OnStart: l.start, OnEpoch: l.epoch, OnEnd: l.end}
}

// clock measures the rate of this session.
type clock struct {
	started time.Time
	step    int // that the session began after
}

func (c *clock) start(p *train.Progress) { *c = clock{started: time.Now(), step: p.Step} }

// part is something to tell of a training. If there is no room for all, those
// of the highest rank are left out first.
type part struct {
	rank int
	text string
}

// parts tell how far a training is. The throughput is that of
// [report.Throughput], in this session.
func (c *clock) parts(p *train.Progress) []part {
	list := []part{{0, fmt.Sprintf("epoch %*d/%d", len(fmt.Sprint(p.Config.Epochs)), p.Epoch, p.Config.Epochs)}}
	if n := len(p.History.Epochs); n > 0 {
		last := p.History.Epochs[n-1]
		list = append(list, part{2, fmt.Sprintf("loss %-8.3g", last.TrainLoss)})
		if !math.IsNaN(last.ValLoss) {
			list = append(list, part{5, fmt.Sprintf("val %-8.3g", last.ValLoss)}, part{3, fmt.Sprintf("%s %.3f", p.History.MetricName(), last.ValMetric)})
		}
	} else if p.Step > 0 {
		list = append(list, part{2, fmt.Sprintf("loss %-8.3g", p.Loss)})
	}
	elapsed := time.Since(c.started).Seconds()
	if done := p.Step - c.step; done > 0 && elapsed > 0 {
		list = append(list, part{4, format.Rate(float64(p.Rows)/elapsed) + " rows/s"})
		if left := p.Config.Epochs*p.EpochSteps - p.Step; left > 0 {
			list = append(list, part{1, duration(elapsed/float64(done)*float64(left)) + " left"})
		}
	}
	return list
}

// fitting joins the parts that there is room for.
func fitting(separator string, room int, parts []part) string {
	parts = slices.Clone(parts)
	for {
		texts := make([]string, len(parts))
		least := 0
		for i, p := range parts {
			if texts[i] = p.text; p.rank > parts[least].rank {
				least = i
			}
		}
		text := strings.Join(texts, separator)
		if utf8.RuneCountInString(text) <= room || len(parts) == 1 {
			return text
		}
		parts = slices.Delete(parts, least, least+1)
	}
}

// duration writes seconds as 0:07, 12:34 or 1:02:03.
func duration(seconds float64) string {
	s := int(math.Ceil(seconds))
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// progressLines writes a line for each tenth of the epochs and for the last.
type progressLines struct {
	clock
	w       io.Writer
	room    int  // columns of a line; 0 for any number
	first   bool // a line for the first epoch too, as a sign of life
	written int  // epoch of the last line
}

func (l *progressLines) start(p *train.Progress) error {
	l.clock.start(p)
	return nil
}

// tenth reports whether an epoch completes a tenth of all.
func tenth(epoch, epochs int) bool { return 10*epoch/epochs > 10*(epoch-1)/epochs }

func (l *progressLines) due(p *train.Progress) bool {
	return l.first && p.Epoch == 1 || tenth(p.Epoch, p.Config.Epochs)
}

func (l *progressLines) epoch(p *train.Progress) error {
	if l.due(p) {
		l.write(p)
	}
	return nil
}

func (l *progressLines) end(p *train.Progress) error {
	if n := len(p.History.Epochs); n > 0 && p.History.Epochs[n-1].Epoch != l.written {
		l.write(p)
	}
	return nil
}

func (l *progressLines) write(p *train.Progress) {
	l.written = p.Epoch
	room := l.room
	if room == 0 {
		room = math.MaxInt
	}
	fmt.Fprintln(l.w, fitting("  ", room, l.parts(p)))
}

// progressBar redraws one line of a terminal, below the lines that it leaves.
type progressBar struct {
	progressLines
	w     *os.File
	bar   *progressbar.ProgressBar
	drawn time.Time
}

const (
	barFrame = 11 // columns besides the bar: percentage, edges, blanks
	leastBar = 6  // columns that are left to the bar itself
	redraw   = 100 * time.Millisecond
)

func (b *progressBar) columns() int { return columnsOf(b.w, 80) }

func (b *progressBar) start(p *train.Progress) error {
	b.progressLines = progressLines{w: b.w}
	b.clock.start(p)
	b.bar = progressbar.NewOptions(p.Config.Epochs*p.EpochSteps,
		progressbar.OptionSetWriter(b.w), progressbar.OptionFullWidth(),
		progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionClearOnFinish())
	return b.draw(p)
}

// step redraws at most ten times a second, so that small steps stay fast.
func (b *progressBar) step(p *train.Progress) error {
	if time.Since(b.drawn) < redraw {
		return nil
	}
	return b.draw(p)
}

func (b *progressBar) epoch(p *train.Progress) error {
	if !b.due(p) {
		return b.step(p)
	}
	if err := b.bar.Clear(); err != nil {
		return err
	}
	b.room = b.columns() - 1
	b.write(p)
	return b.draw(p)
}

func (b *progressBar) draw(p *train.Progress) error {
	b.drawn = time.Now()
	parts := b.parts(p)
	for i := range parts {
		parts[i].text = strings.TrimSpace(parts[i].text)
	}
	b.bar.Describe(fitting(" ", b.columns()-leastBar-barFrame, parts))
	return b.bar.Set(p.Step)
}

func (b *progressBar) end(p *train.Progress) error {
	if err := b.bar.Clear(); err != nil {
		return err
	}
	b.room = b.columns() - 1
	return b.progressLines.end(p)
}

// liveLine shows, on a terminal and nowhere else, one line that replaces the
// one before.
type liveLine struct {
	w     io.Writer
	drawn time.Time
}

// redrawDue reports whether the line is old enough to be replaced by news that
// come many times a second.
func (l *liveLine) redrawDue() bool { return time.Since(l.drawn) >= redraw }

func (l *liveLine) show(format string, args ...any) {
	f, ok := fileOf(l.w)
	if !ok || !isTerminal(f) {
		return
	}
	l.drawn = time.Now()
	text := []rune(fmt.Sprintf(format, args...))
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && len(text) >= columns {
		text = text[:columns-1] // a line that wraps cannot be taken back
	}
	fmt.Fprintf(l.w, "\r\x1b[K%s", string(text))
}

// clear takes the line away.
func (l *liveLine) clear() {
	if !l.drawn.IsZero() {
		fmt.Fprint(l.w, "\r\x1b[K")
	}
}
