package main

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/affine-go/affine/datasets"
)

// columnFlags say how the columns of a CSV file are to be understood.
type columnFlags struct {
	Numeric       []string `placeholder:"COLUMNS" help:"Columns of a CSV file that are numbers."`
	Categorical   []string `placeholder:"COLUMNS" help:"Columns of a CSV file that are categories, even if they look like numbers."`
	Dates         []string `placeholder:"COLUMNS" help:"Columns of a CSV file that are dates, taken as days since 1970."`
	Drop          []string `placeholder:"COLUMNS" help:"Columns of a CSV file that are not features."`
	Only          []string `placeholder:"COLUMNS" help:"Columns of a CSV file that are the only features."`
	Missing       *string  `placeholder:"WAY" help:"What happens to rows with missing values: impute (median or most frequent value, and a feature that says so), drop or error."`
	MaxCategories *int     `placeholder:"N" help:"Categories of a column that have a feature each; the others share one (default: 32)."`

	textFlags `embed:""`
}

// textFlags say how a CSV file is written.
type textFlags struct {
	Separator *string `placeholder:"C" help:"Of the cells of a CSV file: , ; | or tab (default: detected)."`
	Decimal   *string `placeholder:"C" help:"Decimal point of a CSV file: . or , (default: detected)."`
	Encoding  *string `placeholder:"NAME" help:"Of a CSV file's text: utf-8, utf-16, latin-1 or windows-1252 (default: detected)."`
}

func (f *columnFlags) options() datasets.CSVOptions {
	var o datasets.CSVOptions
	f.apply(&o)
	return o
}

// apply writes the flags that were given into a run's settings.
func (f *columnFlags) apply(o *datasets.CSVOptions) {
	for _, list := range []struct {
		setting *[]string
		flag    []string
	}{{&o.Numeric, f.Numeric}, {&o.Categorical, f.Categorical}, {&o.Dates, f.Dates}, {&o.Drop, f.Drop}, {&o.Only, f.Only}} {
		if list.flag != nil {
			*list.setting = list.flag
		}
	}
	if f.Missing != nil {
		o.Missing = datasets.Missing(*f.Missing)
	}
	set(&o.MaxCategories, f.MaxCategories)
	f.textFlags.apply(o)
}

func (f *textFlags) apply(o *datasets.CSVOptions) {
	set(&o.Separator, f.Separator)
	set(&o.DecimalPoint, f.Decimal)
	set(&o.Charset, f.Encoding)
}

// openWithProgress opens a dataset and, from one second on, shows on a terminal
// how much of the file has been read.
func openWithProgress(t *terminal, source string, opts datasets.Options) (*datasets.Dataset, error) {
	path, isCSV := strings.CutPrefix(source, "csv:")
	if !isCSV || t == nil {
		return datasets.Open(source, opts)
	}
	p := watchReading(t, path)
	defer p.end()
	opts.Progress = p.told
	return datasets.Open(source, opts)
}

// reading shows how much of a file has been read.
type reading struct {
	line liveLine
	path string
	size int64 // 0 if it is not known
	read atomic.Int64
	stop chan struct{}
	done chan struct{}
}

// progressFrom is how long a command may work without a word.
const progressFrom = time.Second

func watchReading(t *terminal, path string) *reading {
	p := &reading{line: liveLine{w: t.stderr}, path: path, stop: make(chan struct{}), done: make(chan struct{})}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		p.size = info.Size()
	}
	go p.show()
	return p
}

func (p *reading) told(bytes int64) { p.read.Store(bytes) }

func (p *reading) show() {
	defer close(p.done)
	wait := progressFrom
	for {
		select {
		case <-p.stop:
			p.line.clear()
			return
		case <-time.After(wait):
		}
		wait = redraw
		read := p.read.Load()
		if p.size > 0 {
			p.line.show("reading %s: %d of %d MB, %d %%", datasets.Printable(p.path), read/1e6, p.size/1e6, 100*read/p.size)
		} else {
			p.line.show("reading %s: %d MB", datasets.Printable(p.path), read/1e6)
		}
	}
}

func (p *reading) end() {
	close(p.stop)
	<-p.done
}

// notices tells what was decided about a dataset without having been asked for.
func notices(t *terminal, d *datasets.Dataset) {
	for _, n := range d.Notices {
		fmt.Fprintln(t.stderr, "train: note:", datasets.Printable(n))
	}
}
