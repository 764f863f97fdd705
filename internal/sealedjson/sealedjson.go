// Package sealedjson reads and writes JSON files with a checksum inside, and
// reads strictly: what is unknown, of another type or too much is an error.
package sealedjson

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/affine-go/affine/internal/atomicfile"
	"github.com/affine-go/affine/internal/regularfile"
	"github.com/affine-go/affine/internal/tensorfile"
)

// maxSize bounds the JSON files that are read: metrics of 1,000 classes have a
// million counts.
const maxSize = 64 << 20

// Read reads a JSON object strictly into v and tells whether it has a checksum.
func Read(path string, v any) (sealed bool, err error) {
	data, err := regularfile.Read(path, maxSize)
	if err != nil {
		return false, err
	}
	if data, sealed, err = unseal(data); err == nil {
		err = Decode(data, v)
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return sealed, nil
}

// Write replaces the file at path by the JSON object of v with a checksum
// as its last member.
func Write(path string, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.WriteFile(path, seal(b.Bytes()))
}

// The checksum of a JSON file is the SHA-256 of the file in which its own
// digits are zeros.
const (
	sealStart  = ",\n  \"checksum\": \"sha256:"
	sealDigits = 2 * sha256.Size
	sealEnd    = "\"\n}\n"
	plainEnd   = "\n}\n" // without a checksum
)

// seal adds the checksum to an indented JSON object that is not empty.
func seal(object []byte) []byte {
	zeros := strings.Repeat("0", sealDigits)
	data := slices.Concat(bytes.TrimSuffix(object, []byte(plainEnd)), []byte(sealStart), []byte(zeros), []byte(sealEnd))
	sum := sha256.Sum256(data)
	hex.Encode(data[len(data)-len(sealEnd)-sealDigits:], sum[:])
	return data
}

// unseal checks the checksum, if there is one, and returns the object without
// it.
func unseal(data []byte) (object []byte, sealed bool, err error) {
	start := len(data) - len(sealEnd) - sealDigits - len(sealStart)
	if start < 0 || !bytes.HasPrefix(data[start:], []byte(sealStart)) || !bytes.HasSuffix(data, []byte(sealEnd)) {
		if bytes.Contains(data, []byte(`"checksum"`)) {
			return nil, false, fmt.Errorf("the checksum is not where it was written: %w", tensorfile.ErrDamaged)
		}
		return data, false, nil
	}
	digits := data[start+len(sealStart):][:sealDigits]
	want := string(digits)
	copy(digits, strings.Repeat("0", sealDigits))
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
		return nil, true, tensorfile.ErrDamaged
	}
	return append(data[:start], plainEnd...), true, nil
}

// Decode reads one JSON value and nothing else into v. Errors say at
// which byte.
func Decode(data []byte, v any) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("empty, want JSON")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("JSON ends at byte %d before it is complete", len(data))
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	case errors.As(err, &kind):
		return fmt.Errorf("byte %d: %s is a %s, want a %v", kind.Offset, kind.Field, kind.Value, kind.Type)
	case err != nil:
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("byte %d: there is something after the JSON", d.InputOffset())
	}
	return nil
}
