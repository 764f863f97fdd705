// Package csvscan reads separated text fast: a goroutine cuts it into blocks of
// whole records, others parse the blocks, and the caller gets the results in
// the order of the file, so that they do not depend on the number of threads.
package csvscan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
)

const (
	blockSize = 512 << 10
	// maxRecord bounds the text of one row. A quotation mark that is missing
	// makes one row of the rest of the file.
	maxRecord = 32 << 20
)

// block is a part of the text: whole records, ending with a line break.
type block struct {
	data []byte
	line int // of its first record
}

// Reader cuts a text into blocks.
type Reader struct {
	r    io.Reader
	rest []byte // read, but not handed out
	line int
	err  error
}

// NewReader returns a Reader of text, see [Unpack] and [Decode].
func NewReader(r io.Reader) *Reader { return &Reader{r: r, line: 1} }

// next returns the next block, in the memory of buf or more.
func (r *Reader) next(buf []byte) (block, error) {
	b := append(buf[:0], r.rest...)
	r.rest = r.rest[:0]
	for want := blockSize; ; {
		b = slices.Grow(b, max(want-len(b), 0)+1) // + 1: a line break for the last line
		for len(b) < want && r.err == nil {
			var n int
			n, r.err = r.r.Read(b[len(b):want])
			b = b[:len(b)+n]
		}
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return block{}, r.err
		}
		end := lastRecord(b)
		if r.err != nil { // the end of the text
			if len(b) > 0 && b[len(b)-1] != '\n' {
				b = append(b, '\n')
			}
			end = len(b)
		}
		if end == 0 && r.err == nil {
			if want *= 2; want > maxRecord {
				return block{}, fmt.Errorf("line %d: a row of more than %d MiB; is a quotation mark missing?", r.line, maxRecord>>20)
			}
			continue
		}
		if end == 0 {
			return block{}, io.EOF
		}
		r.rest = append(r.rest, b[end:]...)
		out := block{data: b[:end], line: r.line}
		r.line += bytes.Count(out.data, []byte("\n"))
		return out, nil
	}
}

// lastRecord returns the end of the last whole record in b: after the last line
// break that is not within quotation marks.
func lastRecord(b []byte) int {
	end, quoted := 0, false
	for from := 0; ; {
		k := bytes.IndexByte(b[from:], '"')
		part := b[from:]
		if k >= 0 {
			part = b[from : from+k]
		}
		if !quoted {
			if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
				end = from + i + 1
			}
		}
		if k < 0 {
			return end
		}
		from += k + 1
		quoted = !quoted
	}
}

// Head is the beginning of a text.
type Head struct {
	block block
}

// Head reads the first block. It must be called before anything else.
func (r *Reader) Head() (*Head, error) {
	b, err := r.next(nil)
	if err != nil {
		return nil, err
	}
	return &Head{block: b}, nil
}

// Header returns the cells of the first line that is not empty and takes it
// away. It returns io.EOF if there is none.
func (h *Head) Header(d Dialect) ([]string, error) {
	p := parser{Plan: &Plan{Dialect: d}, data: h.block.data, line: h.block.line}
	if !p.nextRecord() {
		return nil, io.EOF
	}
	var cells []string
	for end := false; !end; {
		var cell []byte
		var err error
		if cell, end, err = p.cell(); err != nil {
			return nil, err
		}
		cells = append(cells, CellText(cell))
	}
	h.block.data, h.block.line = h.block.data[p.pos:], p.line
	return cells, nil
}

// Try parses the rest of the head alone.
func (h *Head) Try(p *Plan) (*Chunk, error) {
	c := new(Chunk)
	return c, p.parse(h.block, c)
}

// Rows estimates the rows of a text of the given size of which the head holds
// some: a few more than there should be, 0 if the size is not known.
func (h *Head) Rows(size int64, rows int) int {
	if size <= 0 || rows == 0 || len(h.block.data) == 0 {
		return rows
	}
	return int(float64(size)/float64(len(h.block.data))*float64(rows)*1.02) + 16
}

// job is a block and the channel on which its chunk comes.
type job struct {
	block block
	chunk *Chunk
	done  chan *Chunk
}

// Scan parses the rest of the head and of the text and hands over the chunks in
// order. A chunk is valid during the call.
func (r *Reader) Scan(h *Head, p *Plan, each func(*Chunk) error) error {
	workers := min(runtime.GOMAXPROCS(0), 8)
	free := make(chan *Chunk, workers+2)
	for range cap(free) {
		free <- new(Chunk)
	}
	jobs, order := make(chan job, cap(free)), make(chan job, cap(free))
	stop := make(chan struct{})
	defer close(stop)
	for range workers {
		go func() {
			for j := range jobs {
				j.chunk.err = p.parse(j.block, j.chunk)
				j.done <- j.chunk
			}
		}()
	}
	go func() {
		defer close(order)
		defer close(jobs)
		first := true
		for {
			var c *Chunk
			select {
			case c = <-free:
			case <-stop:
				return
			}
			var b block
			var err error
			if first {
				b, first = h.block, false
			} else if b, err = r.next(c.data); errors.Is(err, io.EOF) {
				return
			}
			j := job{block: b, chunk: c, done: make(chan *Chunk, 1)}
			if err != nil {
				c.err = err
				j.done <- c
				order <- j // there is room for as many as there are chunks
				return
			}
			order <- j
			jobs <- j
		}
	}()
	for j := range order {
		c := <-j.done
		err := c.err
		if err == nil {
			err = each(c)
		}
		if err != nil {
			return err
		}
		free <- c
	}
	return nil
}
