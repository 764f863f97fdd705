//go:build gpu

package cuda

import (
	"fmt"

	"github.com/affine-go/affine/internal/cuda/driver"
	"gorgonia.org/cu"
)

// firstWorkspace is what a device starts with: enough for the reductions, the
// products of small models and cublasLt's usual wish.
const firstWorkspace = 32 << 20

// workspace is device memory for what lives within one call: partial sums,
// copies of host memory. Calls follow each other on the stream and may all use
// the same.
type workspace struct {
	blocks []chunk // the last one is in use, the others wait for their work
	used   int
	// The arrival counter and the partial sums of reductions, and the counters of
	// tiles that several blocks share.
	arrived  uint64
	parts    uint64
	counters uint64
}

// reductionBlocks is the largest grid of a reduction.
const reductionBlocks = 1024

// tileCounters is how many tiles of a product may be shared by several blocks.
const tileCounters = 4096

// start allocates the first block. The context must be current.
func (s *workspace) start(q driver.Queue) error {
	// Two products may be in one launch.
	const counters = granule + 2*4*tileCounters
	sums, err := cu.MemAlloc(counters + 8*reductionBlocks)
	if err != nil {
		return fmt.Errorf("allocate workspace: %w", explained(err))
	}
	s.arrived, s.counters, s.parts = uint64(sums), uint64(sums)+granule, uint64(sums)+counters
	zero := driver.Work{Kind: driver.Clear}
	zero.Args[0], zero.Args[1] = s.arrived, counters
	if err := q.Submit([]driver.Work{zero}, true); err != nil {
		return err
	}
	return s.grow(firstWorkspace)
}

func (s *workspace) grow(bytes int) error {
	p, err := cu.MemAlloc(int64(bytes))
	if err != nil {
		return fmt.Errorf("allocate workspace of %d bytes: %w", bytes, explained(err))
	}
	s.blocks = append(s.blocks, chunk{uintptr(p), bytes})
	s.used = 0
	return nil
}

// room returns bytes bytes. Where the block is too small, a larger one takes
// its place. Work that is queued, and graphs, may still use the old one, so that
// it is kept until the device closes; sizes double, so these are never more
// than the one in use.
func (s *workspace) room(c *call, bytes int) (uint64, error) {
	bytes = (bytes + granule - 1) / granule * granule
	b := s.blocks[len(s.blocks)-1]
	if s.used+bytes > b.bytes {
		leave := c.d.enter()
		err := s.grow(max(2*b.bytes, bytes))
		leave()
		if err != nil {
			return 0, err
		}
		b = s.blocks[len(s.blocks)-1]
	}
	addr := uint64(b.addr) + uint64(s.used)
	s.used += bytes
	return addr, nil
}

// release frees all blocks. The context must be current.
func (s *workspace) release() error {
	var first error
	if s.arrived != 0 {
		first = cu.MemFree(cu.DevicePtr(s.arrived))
	}
	for _, b := range s.blocks {
		if err := cu.MemFree(cu.DevicePtr(b.addr)); err != nil && first == nil {
			first = err
		}
	}
	*s = workspace{}
	return first
}
