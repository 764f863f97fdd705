package train

import (
	"bufio"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/affine-go/affine/datasets"
	"github.com/affine-go/affine/internal/regularfile"
)

// History is what was measured in each epoch of a run, in order.
type History struct {
	Task   datasets.Task
	Epochs []EpochRecord
}

// EpochRecord is a row of a history.
type EpochRecord struct {
	Epoch     int     // counted from 1
	Step      int     // steps taken by the end of the epoch
	LR        float64 // of the epoch's last step
	TrainLoss float64 // mean over the epoch's rows, as they were trained on
	// TrainMetric is accuracy or R² at the end of the epoch of training rows, of
	// 2,000 evenly picked ones if there are more; NaN if it is not known.
	TrainMetric float64
	ValLoss     float64 // at the end of the epoch; NaN without validation rows
	ValMetric   float64 // accuracy or R² then; NaN without validation rows
	Wall        float64 // seconds of training by then, over all sessions
}

// MetricName returns "accuracy" for classification and "r2" for regression.
func (h *History) MetricName() string { return metricName(h.Task) }

func metricName(task datasets.Task) string {
	if task == datasets.Classification {
		return "accuracy"
	}
	return "r2"
}

// checksumColumn is the last column of a history.csv. It holds, in eight
// hexadecimal digits, the CRC-32C of all that stands in front of them in the
// file, so that each line vouches for all those above it.
const checksumColumn = "checksum"

func (h *History) header() string {
	return "epoch,step,lr,train_loss,train_" + h.MetricName() + "," + h.validationHeader()
}

// shortHeader is that of a history without TrainMetric.
func (h *History) shortHeader() string {
	return "epoch,step,lr,train_loss," + h.validationHeader()
}

func (h *History) validationHeader() string { return "val_loss,val_" + h.MetricName() + ",wall_s" }

// MarshalCSV returns the history as history.csv holds it: a header and a line
// per epoch, numbers such that reading gives the same ones back, but for the
// wall time, which is in whole microseconds. NaN is an empty cell.
func (h *History) MarshalCSV() []byte {
	b := append(make([]byte, 0, 128*(len(h.Epochs)+1)), h.header()+","+checksumColumn+"\n"...)
	sum := crc32.Checksum(b, castagnoli)
	for _, r := range h.Epochs {
		from := len(b)
		b = append(appendRecord(b, r), ',')
		sum = crc32.Update(sum, castagnoli, b[from:])
		from = len(b)
		b = fmt.Appendf(b, "%08x\n", sum)
		sum = crc32.Update(sum, castagnoli, b[from:])
	}
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendRecord(b []byte, r EpochRecord) []byte {
	b = strconv.AppendInt(b, int64(r.Epoch), 10)
	b = strconv.AppendInt(append(b, ','), int64(r.Step), 10)
	for _, x := range []float64{r.LR, r.TrainLoss, r.TrainMetric, r.ValLoss, r.ValMetric} {
		if b = append(b, ','); !math.IsNaN(x) {
			b = strconv.AppendFloat(b, x, 'g', -1, 64)
		}
	}
	return strconv.AppendFloat(append(b, ','), r.Wall, 'f', 6, 64)
}

// ReadHistory reads a history.csv. Errors name the file and the line. The
// column with the checksums may be missing; if it is there, it must match. So may
// that of the metric of the training rows.
func ReadHistory(path string) (*History, error) {
	f, _, err := regularfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, err := parseHistory(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

// maxLine bounds the lines of a history, which have some 100 bytes.
const maxLine = 4096

func parseHistory(r io.Reader) (*History, error) {
	lines := historyLines{r: bufio.NewReaderSize(r, maxLine)}
	header, err := lines.next()
	if err == io.EOF {
		return nil, errors.New("file is empty, want a history")
	}
	if err != nil {
		return nil, fmt.Errorf("line 1: %w", err)
	}
	h := &History{Task: datasets.Classification}
	plain, sealed := strings.CutSuffix(header, ","+checksumColumn)
	if plain != h.header() && plain != h.shortHeader() {
		h.Task = datasets.Regression
	}
	if plain != h.header() && plain != h.shortHeader() {
		return nil, fmt.Errorf("line 1: columns are %.200q, want %s,%s", header, h.header(), checksumColumn)
	}
	columns := strings.Count(plain, ",") + 1
	for {
		before := lines.sum
		line, err := lines.next()
		if err == io.EOF {
			return h, nil
		}
		if err == nil && sealed {
			line, err = unsealedLine(line, before, columns)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", lines.count, err)
		}
		r, err := parseRecord(line, columns)
		if err == nil && r.Epoch != len(h.Epochs)+1 {
			err = fmt.Errorf("epoch is %d, want %d", r.Epoch, len(h.Epochs)+1)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", lines.count, err)
		}
		h.Epochs = append(h.Epochs, r)
	}
}

// historyLines reads lines and sums them up.
type historyLines struct {
	r     *bufio.Reader
	count int
	sum   uint32 // CRC-32C of the lines so far
}

// next returns the next line without its end, io.EOF after the last one.
func (l *historyLines) next() (string, error) {
	line, err := l.r.ReadSlice('\n')
	if err == io.EOF && len(line) == 0 {
		return "", io.EOF
	}
	l.count++
	switch {
	case err == io.EOF:
		return "", errors.New("file ends within the line")
	case err == bufio.ErrBufferFull:
		return "", fmt.Errorf("the line has more than %d bytes", maxLine)
	case err != nil:
		return "", err
	}
	l.sum = crc32.Update(l.sum, castagnoli, line)
	return string(line[:len(line)-1]), nil
}

// unsealedLine returns the line without its checksum. sum is that of the lines
// above it.
func unsealedLine(line string, sum uint32, columns int) (string, error) {
	i := strings.LastIndexByte(line, ',')
	if i < 0 {
		return "", fmt.Errorf("got 1 of %d fields", columns+1)
	}
	sum = crc32.Update(sum, castagnoli, []byte(line[:i+1]))
	if line[i+1:] != fmt.Sprintf("%08x", sum) {
		return "", ErrDamaged
	}
	return line[:i], nil
}

// parseRecord reads a line of so many columns besides the checksum.
func parseRecord(line string, columns int) (EpochRecord, error) {
	r := EpochRecord{TrainMetric: math.NaN()}
	cells := strings.Split(line, ",")
	if len(cells) != columns {
		return r, fmt.Errorf("got %d fields, want %d", len(cells), columns)
	}
	numbers := []*float64{&r.LR, &r.TrainLoss, &r.TrainMetric, &r.ValLoss, &r.ValMetric, &r.Wall}
	if columns < 2+len(numbers) {
		numbers = slices.Delete(numbers, 2, 3) // without TrainMetric
	}
	for i, into := range []*int{&r.Epoch, &r.Step} {
		n, err := strconv.Atoi(cells[i])
		if err != nil {
			return r, fmt.Errorf("column %d is %.40q, want a whole number", i+1, cells[i])
		}
		*into = n
	}
	for i, into := range numbers {
		cell := cells[i+2]
		x, err := strconv.ParseFloat(cell, 64)
		if cell == "" {
			x, err = math.NaN(), nil
		}
		if err != nil {
			return r, fmt.Errorf("column %d is %.40q, want a number", i+3, cell)
		}
		*into = x
	}
	return r, nil
}
