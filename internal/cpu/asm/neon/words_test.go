package neon

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// assemble returns what GNU's assembler for aarch64 makes of the lines.
func assemble(t *testing.T, lines []string) []uint32 {
	t.Helper()
	const as, objcopy = "aarch64-linux-gnu-as", "aarch64-linux-gnu-objcopy"
	for _, tool := range []string{as, objcopy} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%v (on Debian, the package binutils-aarch64-linux-gnu has it)", err)
		}
	}
	dir := t.TempDir()
	source, object, binaryFile := filepath.Join(dir, "a.s"), filepath.Join(dir, "a.o"), filepath.Join(dir, "a.bin")
	if err := os.WriteFile(source, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{as, "-o", object, source}, {objcopy, "-O", "binary", "-j", ".text", object, binaryFile}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	code, err := os.ReadFile(binaryFile)
	if err != nil {
		t.Fatal(err)
	}
	if len(code) != 4*len(lines) {
		t.Fatalf("%d bytes for %d instructions", len(code), len(lines))
	}
	words := make([]uint32, len(lines))
	for i := range words {
		words[i] = binary.LittleEndian.Uint32(code[4*i:])
	}
	return words
}

// TestWords compares every word of the generated files with what an independent
// assembler makes of the text beside it.
func TestWords(t *testing.T) {
	files, err := filepath.Glob("../../*/*_arm64.s")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d generated files, %v", len(files), err)
	}
	pattern := regexp.MustCompile(`WORD \$0x([0-9a-f]{8}) // (.*)`)
	codes := map[string]uint32{}
	var lines []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := pattern.FindAllStringSubmatch(string(text), -1)
		if words := strings.Count(string(text), "WORD"); words != len(found) {
			t.Fatalf("%s has %d words, and %d with their text", name, words, len(found))
		}
		for _, m := range found {
			code, _ := strconv.ParseUint(m[1], 16, 32)
			if before, ok := codes[m[2]]; !ok {
				lines = append(lines, m[2])
			} else if before != uint32(code) {
				t.Errorf("%s is %08x and %08x", m[2], before, code)
			}
			codes[m[2]] = uint32(code)
		}
	}
	if len(lines) < 1000 {
		t.Fatalf("%d different words", len(lines))
	}
	for i, want := range assemble(t, lines) {
		if got := codes[lines[i]]; got != want {
			t.Errorf("%s is %08x, want %08x", lines[i], got, want)
		}
	}
}

// TestEncodings does so for all registers and forms, among them those that no
// kernel has yet.
func TestEncodings(t *testing.T) {
	var all []word
	for _, a := range []arrangement{s4, d2} {
		for d := range 32 {
			n, m := (d*7+3)%32, (d*13+11)%32
			for name := range words {
				all = append(all, vector(name, a, d, n, m))
			}
			for i := range Bytes / a.elem {
				all = append(all, byElement(a, d, n, m, i))
			}
			for bits := 1; bits < 8*a.elem; bits++ {
				all = append(all, shift(true, a, d, n, bits), shift(false, a, d, n, bits))
			}
			all = append(all, negative(a, d, n), first(a, d, n), pair(a, d, n), spread(a, d, n%31))
		}
	}
	for v := range 32 {
		n := (v*7 + 3) % 32
		all = append(all, swapped(v, n), zero(v), move(v, n), widen(v, n), narrow(v, n))
		for _, store := range []bool{false, true} {
			all = append(all, transfer{store, 4}.third(v, v%31))
			for _, bytes := range []int{4, 8, 16} {
				x := transfer{store, bytes}
				all = append(all, x.indexed(v, v%31, n%31, false), x.indexed(v, v%31, n%31, true))
				for _, off := range []int{0, bytes, 3, -1, -256, 255, 4095 * bytes} {
					w, ok := x.at(v, v%31, off)
					if !ok {
						t.Fatalf("no form for %d bytes at %d", bytes, off)
					}
					all = append(all, w)
				}
				if _, ok := x.at(v, v%31, 4096*bytes); ok {
					t.Fatalf("%d bytes at %d fit no instruction", bytes, 4096*bytes)
				}
			}
		}
	}
	var lines []string
	for _, w := range all {
		lines = append(lines, w.text)
	}
	for i, want := range assemble(t, lines) {
		if all[i].code != want {
			t.Errorf("%s is %08x, want %08x", all[i].text, all[i].code, want)
		}
	}
}
