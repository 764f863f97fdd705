package main

import (
	"fmt"
	"io"
	"time"

	"golang.org/x/term"
)

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
