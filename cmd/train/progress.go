package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/affine-go/affine/train"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// showProgress returns a callback that shows a training as it goes: a bar on a
// terminal, elsewhere a line for some of the epochs.
func showProgress(w io.Writer) train.Callback {
	if f, ok := fileOf(w); ok && isTerminal(w) {
		b := &progressBar{w: f}
		return train.Callback{Name: "progress", OnStart: b.start, OnStep: b.step, OnEpoch: b.step, OnEnd: b.end}
	}
	l := &progressLines{w: w}
	return train.Callback{Name: "progress", OnStart: l.start, OnEpoch: l.epoch, OnEnd: l.end}
}

// clock measures the rate of this session.
type clock struct {
	started time.Time
	step    int // that the session began after
}

func (c *clock) start(p *train.Progress) { *c = clock{started: time.Now(), step: p.Step} }

// status is what progress shows of a training.
type status struct{ epoch, loss, validation, metric, rate, left string }

func (c *clock) status(p *train.Progress) status {
	s := status{epoch: fmt.Sprintf("epoch %*d/%d", len(fmt.Sprint(p.Config.Epochs)), p.Epoch, p.Config.Epochs)}
	if n := len(p.History.Epochs); n > 0 {
		last := p.History.Epochs[n-1]
		s.loss = fmt.Sprintf("loss %-8.3g", last.TrainLoss)
		if !math.IsNaN(last.ValLoss) {
			s.validation = fmt.Sprintf("val %-8.3g", last.ValLoss)
			s.metric = fmt.Sprintf("%s %.3f", p.History.MetricName(), last.ValMetric)
		}
	} else if p.Step > 0 {
		s.loss = fmt.Sprintf("loss %-8.3g", p.Loss)
	}
	elapsed := time.Since(c.started).Seconds()
	if done := p.Step - c.step; done > 0 && elapsed > 0 {
		s.rate = rate(float64(p.Rows) / elapsed)
		s.left = duration(elapsed/float64(done)*float64(p.Config.Epochs*p.EpochSteps-p.Step)) + " left"
	}
	return s
}

// rate writes rows per second.
func rate(rows float64) string {
	switch {
	case rows >= 1e6:
		return fmt.Sprintf("%.1fM rows/s", rows/1e6)
	case rows >= 1e4:
		return fmt.Sprintf("%.0fk rows/s", rows/1e3)
	}
	return fmt.Sprintf("%.0f rows/s", rows)
}

// duration writes seconds as 0:07, 12:34 or 1:02:03.
func duration(seconds float64) string {
	s := int(math.Ceil(seconds))
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// progressLines writes a line for the first, the last and every so many epochs.
type progressLines struct {
	clock
	w       io.Writer
	every   int
	written int // epoch of the last line
}

// mostLines is about how many lines a run writes.
const mostLines = 20

func (l *progressLines) start(p *train.Progress) error {
	l.clock.start(p)
	l.every = 1
	for i := 0; p.Config.Epochs/l.every > mostLines; i++ {
		l.every = l.every * []int{2, 5, 2}[i%3] / []int{1, 2, 1}[i%3] // 1, 2, 5, 10, 20, 50, …
	}
	return nil
}

func (l *progressLines) epoch(p *train.Progress) error {
	if p.Epoch == 1 || p.Epoch%l.every == 0 {
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
	s := l.status(p)
	fmt.Fprintln(l.w, fitting("  ", math.MaxInt, s.epoch, s.loss, s.validation, s.metric, s.rate, s.left))
}

// fitting joins those of the parts that are known, as many as there is room for.
func fitting(separator string, room int, parts ...string) string {
	var text string
	for _, part := range parts {
		switch longer := text + separator + part; {
		case part == "":
		case text == "":
			text = part
		case utf8.RuneCountInString(longer) <= room:
			text = longer
		}
	}
	return text
}

// progressBar redraws one line of a terminal.
type progressBar struct {
	clock
	w     *os.File
	bar   *progressbar.ProgressBar
	drawn time.Time
}

const (
	barFrame = 10 // columns that the bar takes beside itself: percentage, edges, blanks
	redraw   = 100 * time.Millisecond
)

// width returns the columns of the bar itself: few where the numbers need them.
func (b *progressBar) width() int {
	if b.columns() < 100 {
		return 6
	}
	return 20
}

func (b *progressBar) columns() int {
	if n, _, err := term.GetSize(int(b.w.Fd())); err == nil && n > 0 {
		return n
	}
	return 80
}

func (b *progressBar) start(p *train.Progress) error {
	b.clock.start(p)
	b.bar = progressbar.NewOptions(p.Config.Epochs*p.EpochSteps,
		progressbar.OptionSetWriter(b.w), progressbar.OptionSetWidth(b.width()),
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

func (b *progressBar) draw(p *train.Progress) error {
	b.drawn = time.Now()
	s := b.status(p)
	room := b.columns() - b.width() - barFrame
	b.bar.Describe(fitting(" ", room, s.epoch, strings.TrimSpace(s.loss), s.metric, s.left, s.rate, strings.TrimSpace(s.validation)))
	b.bar.Set(p.Step) // a terminal that is gone does not end the training
	return nil
}

func (b *progressBar) end(*train.Progress) error {
	b.bar.Clear()
	return nil
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
