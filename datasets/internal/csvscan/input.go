package csvscan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// What is packed more tightly than 1:maxRatio is not unpacked beyond maxUnpacked
// bytes: that is no table but a way to fill the memory.
const (
	maxRatio    = 200
	maxUnpacked = 4 << 20
)

// ErrBomb is matched by the error for a file that is small and unpacks to
// without measure.
var ErrBomb = errors.New("refused: it unpacks to more than 200 times its size; unpack it first if it can be trusted")

// CheckUnpacked returns [ErrBomb] if so many bytes cannot be unpacked of so few.
func CheckUnpacked(packed, unpacked uint64) error {
	if unpacked > maxUnpacked && unpacked/maxRatio > packed {
		return ErrBomb
	}
	return nil
}

// Unpack returns what r holds, unpacked if it is packed with gzip or zstd.
func Unpack(r io.Reader) (io.Reader, error) {
	packed := &counter{r: r}
	b := bufio.NewReaderSize(packed, 1<<16)
	start, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("gzip header: %w", noEOF(err))
		}
		return &unpacked{r: z, format: "gzip", packed: packed}, nil
	case bytes.Equal(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<27))
		if err != nil {
			return nil, fmt.Errorf("zstd header: %w", noEOF(err))
		}
		return &unpacked{r: z.IOReadCloser(), format: "zstd", packed: packed}, nil
	default:
		return b, nil
	}
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Packed is a reader that unpacks what it reads.
type Packed interface{ Packed() string }

// Packed returns the name of the format.
func (u *unpacked) Packed() string { return u.format }

// unpacked reads a decompressor and stops at a bomb.
type unpacked struct {
	r      io.Reader
	format string
	packed *counter
	n      int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.n += int64(n)
	switch {
	case CheckUnpacked(uint64(u.packed.n), uint64(u.n)) != nil:
		return 0, ErrBomb
	case err != nil && !errors.Is(err, io.EOF):
		err = fmt.Errorf("%s data: %w", u.format, err)
	}
	return n, err
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// charsets are the encodings of text that can be named.
var charsets = map[string]encoding.Encoding{
	"utf-8":        nil,
	"utf-16":       unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	"utf-16le":     unicode.UTF16(unicode.LittleEndian, unicode.UseBOM),
	"utf-16be":     unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"latin-1":      charmap.ISO8859_1,
	"windows-1252": charmap.Windows1252,
}

// Charsets lists the names that [Decode] knows.
func Charsets() []string {
	return []string{"utf-8", "utf-16", "utf-16le", "utf-16be", "latin-1", "windows-1252"}
}

// Decode returns r as UTF-8 without a byte order mark. Without the name of a
// character set the mark tells UTF-16; everything else passes as it is, and
// [CellText] reads what is not UTF-8 in it.
func Decode(r io.Reader, charset string) (io.Reader, error) {
	charset = strings.ToLower(charset)
	if charset != "" && !slices.Contains(Charsets(), charset) {
		return nil, fmt.Errorf("character set %q: want one of %s", charset, strings.Join(Charsets(), ", "))
	}
	b := bufio.NewReaderSize(r, 1<<16)
	start, err := b.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if charset == "" && (bytes.HasPrefix(start, []byte{0xff, 0xfe}) || bytes.HasPrefix(start, []byte{0xfe, 0xff})) {
		charset = "utf-16"
	}
	if e := charsets[charset]; e != nil {
		return transform.NewReader(b, e.NewDecoder()), nil
	}
	if bytes.Equal(start, []byte("\xef\xbb\xbf")) {
		if _, err := b.Discard(3); err != nil {
			return nil, err
		}
	}
	return b, nil
}
