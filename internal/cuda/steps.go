//go:build gpu

package cuda

import (
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"github.com/affine-go/affine/internal/cuda/driver"
	"gorgonia.org/cu"
)

const (
	// stepSlots is how many steps may be under way before the host waits.
	stepSlots = 256
	// stepLosses is how many losses one step may compute.
	stepLosses = 4
	// resultSlots: one for calls that wait, and one for each loss of each step.
	resultSlots = 1 + stepLosses*stepSlots
	// firstWords is the room for what changes from step to step, in 8-byte words.
	firstWords = 1024
	// gatherWords is how much a block gathers, of 4 bytes each.
	gatherWords = 2048
	// maxTraces is how many different steps are remembered.
	maxTraces = 32
)

// steps lets whole training steps run without waiting for the device.
//
// The calls of a step are collected, not run. At its end they are compared with
// those of the steps before: a step seen for the first time is handed over call
// by call; the second time it is captured as a graph; from then on that graph
// is replayed, with one launch.
//
// What changes from step to step without changing the calls, the indices of a
// batch and the scalars of the optimizer, is not among their arguments. It
// goes through block, at an address that stays the same: the host writes it to
// the step's slot of a ring in pinned memory, and the first kernel of the step
// copies it from there. Losses are written by the kernels to the step's slot of
// results.
type steps struct {
	active  bool
	broken  bool // the device may have counted a step that failed
	flushed bool // part of the step has been handed over already
	work    []driver.Work
	used    int // words of the step's slot; word 0 is the slot's number
	sent    int // of these, the ones that work which was handed over fetches
	losses  int
	updates []group
	// gathers are those that the first kernel of the step does, of the rows that
	// its first words name.
	gathers  [2]gather
	joined   int // how many there are
	gathered int // words after those that name rows
	rows     int
	loss     stepLoss

	words    int     // of a slot
	wanted   int     // words that a step asked for in vain
	ring     []int64 // stepSlots × words
	block    uint64  // words on the device
	count    uint64  // the device's count of steps
	arrived  uint64  // counts blocks of the first kernel
	next     int     // the host's
	unread   int     // steps whose losses have not been collected
	perStep  [stepSlots]int
	finished []float64 // losses that were collected

	traces    []*trace
	addresses []int64 // of learnables
}

// gather copies rows from one matrix to another, in words of 4 bytes.
type gather struct{ dst, strideDst, src, strideSrc, words uint64 }

// stepLoss is the loss that was launched last in a step.
type stepLoss struct {
	at    int // its place in the work of the step; 0 for none
	call  lossCall
	total [5]uint64
}

// trace is the work of a step that has been met.
type trace struct {
	work    []driver.Work
	updates []int64 // where its learnables lie: see steps.learnables
	graph   driver.Graph
	program uintptr // of the kernel that does it alone, or 0; see small_step.go
	plain   bool    // it cannot be captured
}

// Step runs body, whose calls on this device, all on this goroutine, are one
// step, and returns without waiting for it.
func (d *Device) Step(body func() error) error {
	if err := d.beginStep(); err != nil {
		return fmt.Errorf("begin step: %w", err)
	}
	if err := body(); err != nil {
		d.mu.Lock()
		d.steps.active = false
		d.steps.counted()
		d.mu.Unlock()
		return err
	}
	if err := d.endStep(); err != nil {
		return fmt.Errorf("end step: %w", err)
	}
	return nil
}

func (d *Device) beginStep() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.steps
	switch {
	case d.closed:
		return errClosed
	case s.active:
		return errors.New("another step has not ended")
	}
	if err := s.mend(d); err != nil {
		return err
	}
	if s.ring == nil || s.wanted > s.words {
		if err := s.resize(d); err != nil {
			return err
		}
	}
	if s.unread == stepSlots {
		if err := s.collect(d); err != nil {
			return err
		}
	}
	s.active, s.flushed, s.work, s.used, s.sent, s.losses = true, false, s.work[:0], 1, 0, 0
	s.updates, s.loss.at, s.joined, s.gathered = s.updates[:0], 0, 0, 1
	// The place of step_begin, whose arguments are known at the end.
	s.work = append(s.work, driver.Work{})
	return nil
}

// mend gives the device the host's count of steps after a step that failed. No
// step is taken before that: it would find the indices and scalars of another.
func (s *steps) mend(d *Device) error {
	if !s.broken {
		return nil
	}
	d.words[0] = int64(s.next)
	w := driver.Work{Kind: driver.Copy}
	w.Args[0], w.Args[1], w.Args[2] = s.count, uint64(addressOfWords(d.words)), 8
	if err := d.queue.Submit([]driver.Work{w}, true); err != nil {
		return fmt.Errorf("after a step that failed, the card's count of steps cannot be restored: %w", err)
	}
	s.broken = false
	return nil
}

// resize makes room for words that a step wants to pass on. Traces hold the old
// addresses and are forgotten.
func (s *steps) resize(d *Device) error {
	if err := s.collect(d); err != nil {
		return err
	}
	leave := d.enter()
	defer leave()
	if err := s.release(); err != nil {
		return err
	}
	words := firstWords
	for words < s.wanted {
		words *= 2
	}
	ring, err := pinned[int64](stepSlots * words)
	if err != nil {
		return err
	}
	memory, err := cu.MemAlloc(int64(granule + 8*words))
	if err != nil {
		return errors.Join(explained(err), unpin(ring))
	}
	*s = steps{gathered: 1, ring: ring, words: words, count: uint64(memory), arrived: uint64(memory) + 8, block: uint64(memory) + granule, finished: s.finished}
	var zero driver.Work
	zero.Kind, zero.Args[0], zero.Args[1] = driver.Clear, s.count, granule
	return d.queue.Submit([]driver.Work{zero}, true)
}

// collect waits for all steps and reads their losses.
func (s *steps) collect(d *Device) error {
	if s.unread == 0 {
		return nil
	}
	if err := d.queue.Submit(nil, true); err != nil {
		return err
	}
	for i := s.next - s.unread; i < s.next; i++ {
		slot := i % stepSlots
		for j := range s.perStep[slot] {
			s.finished = append(s.finished, d.results[1+j*stepSlots+slot])
		}
	}
	s.unread = 0
	return nil
}

// Losses waits for all steps and appends to dst what their losses are, in the
// order of the calls since Losses was called last.
func (d *Device) Losses(dst []float64) ([]float64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return dst, errClosed
	}
	s := &d.steps
	if s.active {
		return dst, errors.New("the step has not ended")
	}
	if err := s.collect(d); err != nil {
		return dst, err
	}
	dst = append(dst, s.finished...)
	s.finished = s.finished[:0]
	return dst, nil
}

// slot is the part of the ring that belongs to the current step.
func (s *steps) slot() []int64 {
	at := s.next % stepSlots * s.words
	return s.ring[at : at+s.words]
}

// pass puts values where the kernels of the current step find them, and returns
// their address on the device.
func (s *steps) pass(n int) (values []int64, addr uint64, ok bool) {
	if s.used+n > s.words {
		s.wanted = max(s.wanted, s.used+n)
		return nil, 0, false
	}
	values, addr = s.slot()[s.used:s.used+n], s.block+8*uint64(s.used)
	s.used += n
	return values, addr, true
}

// joins reports whether the first kernel of the step can do a gather, and lets
// it: at the beginning of the step, and if a second one has the same index.
func (s *steps) joins(g gather, index []int) bool {
	if !s.active || s.flushed || len(s.work) > 1 || s.joined == len(s.gathers) {
		return false
	}
	if s.joined == 0 {
		words, _, ok := s.pass((len(index) + 1) / 2)
		if !ok {
			return false
		}
		for i, v := range index {
			int32s(words)[i] = int32(v)
		}
		s.rows, s.gathered = len(index), s.used
	} else {
		named := int32s(s.slot()[1:s.gathered])
		if len(index) != s.rows {
			return false
		}
		for i, v := range index {
			if named[i] != int32(v) {
				return false
			}
		}
	}
	s.gathers[s.joined] = g
	s.joined++
	return true
}

// int32s views words as twice as many numbers.
func int32s(words []int64) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(words))), 2*len(words))
}

// fetch returns the work that brings the step's words to the device.
func (s *steps) fetch(d *Device) (driver.Work, error) {
	var w driver.Work
	if !s.flushed {
		leave := d.enter()
		f, err := d.lib.function(d.cubins, kStepBegin, untyped)
		leave()
		w = driver.Work{Kind: driver.Launch, Function: uint64(handle(f)), GridX: 1, GridY: 1, Block: threads}
		args := append(w.Args[:0], s.block, uint64(addressOfWords(s.ring)), s.count, s.arrived, stepSlots, uint64(s.words),
			uint64(s.gathered), uint64(s.used), uint64(s.rows))
		if s.joined > 0 {
			all := 0
			for _, g := range s.gathers[:s.joined] {
				args = append(args, g.dst, g.strideDst, g.src, g.strideSrc, g.words)
				all += s.rows * int(g.words)
			}
			w.GridX += uint64(max(1, min(all/gatherWords, s.rows, 4*d.processors)))
		}
		return w, err
	}
	w.Kind = driver.Copy
	w.Args[0] = s.block + 8*uint64(s.sent)
	w.Args[1] = uint64(addressOfWords(s.slot()[s.sent:]))
	w.Args[2] = 8 * uint64(s.used-s.sent)
	return w, nil
}

// flush hands over what the current step has collected and waits for it. Such a
// step is not captured.
func (s *steps) flush(d *Device) error {
	if !s.active {
		return nil
	}
	var err error
	if s.used > s.sent {
		if s.work[0], err = s.fetch(d); err != nil {
			return err
		}
	} else {
		s.work = s.work[1:]
	}
	s.flushed, s.sent, s.updates, s.loss.at = true, s.used, s.updates[:0], 0
	if err = d.queue.Submit(s.work, true); err != nil {
		s.broken = true
	}
	s.work = append(s.work[:0], driver.Work{})
	return err
}

func (d *Device) endStep() (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.steps
	if s.flushed {
		err = s.flush(d)
		s.active = false
	} else {
		s.active = false
		err = s.handOver(d)
	}
	s.counted()
	return err
}

// handOver gives a whole step to the device.
func (s *steps) handOver(d *Device) (err error) {
	if s.work[0], err = s.fetch(d); err != nil {
		return err
	}
	t := s.find()
	if t == nil {
		if err := s.remember(d); err != nil {
			return err
		}
	} else if t.graph == 0 && !t.plain {
		if err := s.capture(d, t); err != nil {
			// Nothing has run. The step is handed over call by call, now and later.
			t.graph, t.plain = 0, true
		}
	}
	if t != nil && t.graph != 0 {
		err = d.queue.Replay(t.graph)
	} else {
		err = d.queue.Submit(s.work, false)
	}
	s.flushed, s.broken = err == nil, err != nil
	return err
}

// capture makes the graph of a step: of one launch if one block can do it all.
func (s *steps) capture(d *Device, t *trace) (err error) {
	work := t.work
	if small, program, ok, err := d.smallStep(); err != nil {
		return err
	} else if ok {
		t.program, work = program, []driver.Work{small}
	}
	t.graph, err = d.queue.Capture(work)
	return err
}

// counted counts a step that was handed over, as the device does. After a
// failure the device may have counted it or not: see mend.
func (s *steps) counted() {
	if !s.flushed || s.broken {
		return
	}
	s.perStep[s.next%stepSlots] = s.losses
	s.next++
	s.unread++
}

// find returns the trace that is equal to the current step, or nil.
func (s *steps) find() *trace {
	learnables := s.learnables()
	for i, t := range s.traces {
		if slices.Equal(t.work, s.work) && slices.Equal(t.updates, learnables) {
			// The newest come first: they are likely to come again.
			copy(s.traces[1:i+1], s.traces[:i])
			s.traces[0] = t
			return t
		}
	}
	return nil
}

// learnables returns where those that the step updates lie. That is not among the
// arguments of its launches.
func (s *steps) learnables() []int64 {
	s.addresses = s.addresses[:0]
	for i := range s.updates {
		g := &s.updates[i]
		s.addresses = append(s.addresses, g.words[updateHead:updateHead+updateWords*g.count]...)
	}
	return s.addresses
}

func (s *steps) remember(d *Device) error {
	if len(s.traces) == maxTraces {
		oldest := s.traces[maxTraces-1]
		s.traces = s.traces[:maxTraces-1]
		if oldest.graph != 0 || oldest.program != 0 {
			if err := d.queue.Submit(nil, true); err != nil {
				return err
			}
			leave := d.enter()
			err := oldest.release()
			leave()
			if err != nil {
				return err
			}
		}
	}
	s.traces = slices.Insert(s.traces, 0, &trace{work: slices.Clone(s.work), updates: slices.Clone(s.learnables())})
	return nil
}

// release frees what was made for a replay. The context must be current, and no
// step under way.
func (t *trace) release() (err error) {
	if t.graph != 0 {
		err = t.graph.Destroy()
	}
	if t.program != 0 {
		err = errors.Join(err, cu.MemFree(cu.DevicePtr(t.program)))
	}
	t.graph, t.program = 0, 0
	return err
}

// release frees graphs and memory. The context must be current, and no step
// under way.
func (s *steps) release() error {
	var errs []error
	for _, t := range s.traces {
		errs = append(errs, t.release())
	}
	errs = append(errs, unpin(s.ring))
	if s.count != 0 {
		errs = append(errs, cu.MemFree(cu.DevicePtr(s.count)))
	}
	s.traces, s.ring, s.count = nil, nil, 0
	return errors.Join(errs...)
}

// indices passes row numbers to a kernel.
func (c *call) indices(index []int) uint64 {
	if c.d.steps.active {
		if words, at, ok := c.d.steps.pass((len(index) + 1) / 2); ok {
			for i, v := range index {
				int32s(words)[i] = int32(v)
			}
			return at
		}
	}
	numbers := make([]int32, len(index))
	for i, v := range index {
		numbers[i] = int32(v)
	}
	at := c.room(4 * len(index))
	c.copyIn(at, unsafe.Pointer(unsafe.SliceData(numbers)), 4*len(index))
	return at
}

func addressOfWords(w []int64) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(w))) }
