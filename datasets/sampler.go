package datasets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// Sampler deals the rows of a dataset out in batches, in a new random order in
// every epoch. Its state can be saved between any two batches, so that a run
// that resumes gets the batches that it would have got.
type Sampler struct {
	source *rand.PCG
	random *rand.Rand // draws from source
	start  rand.PCG   // the source as it was before the epoch's order was drawn
	order  []int
	batch  int
	epoch  int
	next   int // place in order where the next batch starts; len(order) at the end of an epoch
}

// NewSampler returns a sampler of n rows in batches of the given size. The last
// batch of an epoch holds what is left.
func NewSampler(n, batch int, seed uint64) (*Sampler, error) {
	if n < 1 || batch < 1 {
		return nil, usagef("sampler: %d rows in batches of %d, want at least 1 of each", n, batch)
	}
	source := rand.NewPCG(seed, samplerStream)
	s := &Sampler{source: source, random: rand.New(source), order: make([]int, n), batch: batch}
	s.shuffle()
	return s, nil
}

// shuffle draws the epoch's order, which depends on the source's state alone.
func (s *Sampler) shuffle() {
	s.start = *s.source
	for i := range s.order {
		s.order[i] = i
	}
	s.random.Shuffle(len(s.order), func(i, j int) { s.order[i], s.order[j] = s.order[j], s.order[i] })
}

// Next returns the row numbers of the next batch, or nil once at the end of an
// epoch. The call after that begins the next epoch. The slice is good until the
// epoch ends; the caller must not write to it. Next allocates nothing.
func (s *Sampler) Next() []int {
	if len(s.order) == 0 {
		return nil // not made by NewSampler
	}
	if s.next == len(s.order) {
		s.next = 0
		s.epoch++
		s.shuffle()
		return nil
	}
	start := s.next
	s.next = min(start+s.batch, len(s.order))
	return s.order[start:s.next:s.next]
}

// Batches returns the number of batches in an epoch, ⌈rows/batch⌉.
func (s *Sampler) Batches() int { return s.batches(len(s.order)) }

// Epoch returns the number of epochs whose end Next has told.
func (s *Sampler) Epoch() int { return s.epoch }

// Batch returns the number of batches of this epoch that Next has given.
func (s *Sampler) Batch() int { return s.batches(s.next) }

// batches returns ⌈rows/batch⌉, and 0 for a sampler not made by NewSampler.
func (s *Sampler) batches(rows int) int {
	if rows == 0 {
		return 0
	}
	return (rows + s.batch - 1) / s.batch
}

// samplerState is the binary form of a sampler's state, little-endian. The
// epoch's order is drawn again from Start.
type samplerState struct {
	Magic       [4]byte
	Rows, Batch uint64
	Epoch, Next uint64
	Start       [20]byte // as rand.PCG writes itself
}

var samplerMagic = [4]byte{'s', 'm', 'p', '1'}

// MarshalBinary returns the sampler's state.
func (s *Sampler) MarshalBinary() ([]byte, error) {
	state := samplerState{
		Magic: samplerMagic,
		Rows:  uint64(len(s.order)), Batch: uint64(s.batch),
		Epoch: uint64(s.epoch), Next: uint64(s.next),
	}
	start, err := s.start.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("sampler state: %w", err)
	}
	copy(state.Start[:], start)
	return binary.Append(nil, binary.LittleEndian, state)
}

// UnmarshalBinary brings the sampler to a state that MarshalBinary returned.
// The sampler must have been made for the same number of rows and the same
// batch size; on an error it stays as it was.
func (s *Sampler) UnmarshalBinary(data []byte) error {
	if len(s.order) == 0 {
		return errors.New("sampler state: the sampler was not made by NewSampler")
	}
	var state samplerState
	if want := binary.Size(state); len(data) != want {
		return fmt.Errorf("sampler state: %d bytes, want %d", len(data), want)
	}
	if _, err := binary.Decode(data, binary.LittleEndian, &state); err != nil {
		return fmt.Errorf("sampler state: %w", err)
	}
	if state.Magic != samplerMagic {
		return fmt.Errorf("sampler state: starts with %q, want %q", state.Magic[:], samplerMagic[:])
	}
	rows, batch := uint64(len(s.order)), uint64(s.batch)
	if state.Rows != rows || state.Batch != batch {
		return fmt.Errorf("sampler state: of %d rows in batches of %d, want %d in batches of %d", state.Rows, state.Batch, rows, batch)
	}
	if state.Next > rows || state.Next != rows && state.Next%batch != 0 {
		return fmt.Errorf("sampler state: next row is %d, want a batch's start or the end, %d", state.Next, rows)
	}
	if state.Epoch > math.MaxInt {
		return fmt.Errorf("sampler state: epoch is %d, want a number of epochs", state.Epoch)
	}
	var source rand.PCG
	if err := source.UnmarshalBinary(state.Start[:]); err != nil {
		return fmt.Errorf("sampler state: %w", err)
	}
	*s.source = source
	s.shuffle()
	s.epoch, s.next = int(state.Epoch), int(state.Next)
	return nil
}

// Float is the set of element types that a batch can have.
type Float interface{ ~float32 | ~float64 }

// GatherInputs copies the features of the given rows into dst: [len(rows),
// Inputs], row after row.
func GatherInputs[T Float](dst []T, d *Dataset, rows []int) error {
	n := d.Inputs()
	if err := checkGather("inputs", len(dst), d, rows, n); err != nil {
		return err
	}
	for i, row := range rows {
		out := dst[i*n : (i+1)*n]
		for k, v := range d.Row(row) {
			out[k] = T(v)
		}
	}
	return nil
}

// GatherTargets copies the targets of the given rows into dst: [len(rows),
// Outputs], row after row. For classification a row's targets are one-hot: 1 at
// its class, 0 elsewhere. For regression they are its one number.
func GatherTargets[T Float](dst []T, d *Dataset, rows []int) error {
	if d.Y == nil {
		return fmt.Errorf("gather targets: dataset %q has none", d.Name)
	}
	n := d.Outputs()
	if err := checkGather("targets", len(dst), d, rows, n); err != nil {
		return err
	}
	if d.Task != Classification {
		for i, row := range rows {
			dst[i] = T(d.Y[row])
		}
		return nil
	}
	clear(dst)
	for i, row := range rows {
		y := d.Y[row]
		if !(y >= 0 && y < float64(n) && y == math.Trunc(y)) {
			return fmt.Errorf("gather targets: Y[%d] is %v, want the index of one of the %d classes", row, y, n)
		}
		dst[i*n+int(y)] = 1
	}
	return nil
}

func checkGather(what string, length int, d *Dataset, rows []int, columns int) error {
	if want := len(rows) * columns; length != want {
		return fmt.Errorf("gather %s: room for %d values, want %d: %d rows of %d", what, length, want, len(rows), columns)
	}
	n := d.Len()
	for _, row := range rows {
		if row < 0 || row >= n {
			return fmt.Errorf("gather %s: row %d, dataset %q has %d", what, row, d.Name, n)
		}
	}
	return nil
}
