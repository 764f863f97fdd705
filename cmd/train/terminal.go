package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/affine-go/affine/cmd/train/internal/job"
	"github.com/affine-go/affine/datasets"
	"golang.org/x/term"
)

// terminal is where a command reads and writes.
type terminal struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	program        string   // how the program was started, for command lines to copy
	job            *job.Job // nil unless a launcher started the program
}

func newTerminal(stdin io.Reader, stdout, stderr io.Writer) *terminal {
	return &terminal{stdin: stdin, stdout: stdout, stderr: stderr, program: programName(os.Args[0])}
}

// programName returns what to type to run this program again. `go run` starts
// it from a build directory that is gone afterwards.
func programName(arg string) string {
	if strings.Contains(filepath.ToSlash(arg), "/go-build") {
		return "go run ./cmd/train"
	}
	return arg
}

// A checkedWriter remembers the first error of writing, for those who do not
// look at each.
type checkedWriter struct {
	io.Writer
	err    error
	closed func() // unless nil, called when nobody reads any more
}

func (w *checkedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if w.err == nil {
		w.err = err
		if isClosedPipe(err) && w.closed != nil {
			w.closed()
		}
	}
	return n, err
}

// whenClosed calls f once nobody reads what is written to w any more.
func whenClosed(w io.Writer, f func()) {
	if checked, ok := w.(*checkedWriter); ok {
		checked.closed = f
	}
}

// fileOf returns the file that w writes to.
func fileOf(w io.Writer) (*os.File, bool) {
	if checked, ok := w.(*checkedWriter); ok {
		w = checked.Writer
	}
	f, ok := w.(*os.File)
	return f, ok
}

// isTerminal reports whether a person may be watching w.
func isTerminal(w io.Writer) bool {
	f, ok := fileOf(w)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// columnsOf returns the width of the terminal that w writes to, or what there is
// instead.
func columnsOf(w io.Writer, instead int) int {
	if f, ok := fileOf(w); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return instead
}

// Styles of text on a terminal.
const (
	bold  = "1"
	faint = "2"
	red   = "31"
	green = "32"
)

// styled returns s in a style if w is a terminal and NO_COLOR is not set
// (https://no-color.org).
func styled(w io.Writer, style, s string) string {
	if !isTerminal(w) || os.Getenv("NO_COLOR") != "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// heading writes a line in bold.
func heading(w io.Writer, format string, args ...any) {
	fmt.Fprintln(w, styled(w, bold, fmt.Sprintf(format, args...)))
}

// printJSON writes v as one object.
func (t *terminal) printJSON(v any) error {
	e := json.NewEncoder(t.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}

// table lines up rows of cells below headings. text/tabwriter knows one
// alignment for all columns of a table, names left and numbers right need two;
// a library would be another module for the thirty lines below.
type table struct {
	rows  [][]string
	right []bool // columns of numbers
}

// newTable names the columns; those whose heading starts with ">" are
// right-aligned.
func newTable(headings ...string) *table {
	t := &table{}
	for i, h := range headings {
		t.right = append(t.right, strings.HasPrefix(h, ">"))
		headings[i] = strings.TrimPrefix(h, ">")
	}
	t.add(headings...)
	return t
}

func (t *table) add(cells ...string) {
	for i := range cells {
		cells[i] = datasets.Printable(cells[i])
	}
	t.rows = append(t.rows, cells)
}

func (t *table) write(w io.Writer) {
	widths := make([]int, len(t.right))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, row := range t.rows {
		var line strings.Builder
		for j, cell := range row {
			pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if t.right[j] {
				cell = pad + cell
			} else {
				cell += pad
			}
			line.WriteString(cell + "  ")
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 {
			text = styled(w, bold, text)
		}
		fmt.Fprintln(w, text)
	}
}

// facts writes lines of a name and a value.
func facts(w io.Writer, pairs ...string) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(tab, "%s\t%s\n", pairs[i], datasets.Printable(pairs[i+1]))
		}
	}
	tab.Flush()
}
