// Package browser drives a headless Chromium for tests of pages: it speaks the
// DevTools protocol (https://chromedevtools.github.io/devtools-protocol) over
// the pipe that Chromium opens for it, without any library.
package browser

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"
)

// Browser is a running Chromium with one page.
type Browser struct {
	cmd      *exec.Cmd
	profile  string
	commands io.WriteCloser
	session  string

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
	events  []Event
	ended   error
}

// Event is what Chromium told on its own account, such as a request.
type Event struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
}

type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// patience is how long an answer may take.
const patience = 30 * time.Second

// Start opens Chromium with an empty profile of its own.
func Start(program string) (*Browser, error) {
	b, err := start(program)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	if err := b.openPage(); err != nil {
		b.Close()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return b, nil
}

func start(program string) (b *Browser, err error) {
	profile, err := os.MkdirTemp("", "browser-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(profile)
		}
	}()
	theirIn, ourOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirIn.Close()
	ourIn, theirOut, err := os.Pipe()
	if err != nil {
		ourOut.Close()
		return nil, err
	}
	defer theirOut.Close()
	b = &Browser{profile: profile, commands: ourOut, waiting: map[int]chan reply{}}
	// Containers have neither the user namespaces of the sandbox nor a large
	// shared memory.
	b.cmd = exec.Command(program, "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir="+profile, "--remote-debugging-pipe")
	b.cmd.ExtraFiles = []*os.File{theirIn, theirOut} // Chromium reads 3 and writes 4
	if err := b.cmd.Start(); err != nil {
		ourIn.Close()
		ourOut.Close()
		return nil, err
	}
	go b.listen(ourIn)
	return b, nil
}

// openPage attaches to a page and asks for all that it tells.
func (b *Browser) openPage() error {
	var target struct{ TargetID string }
	if err := b.Call("Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return err
	}
	var attached struct{ SessionID string }
	if err := b.Call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached); err != nil {
		return err
	}
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		if err := b.Call(domain+".enable", nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// Close ends Chromium and removes its profile.
func (b *Browser) Close() error {
	b.commands.Close() // which Chromium takes for the order to end
	done := make(chan error, 1)
	go func() { done <- b.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		b.cmd.Process.Kill()
		<-done
	}
	return os.RemoveAll(b.profile)
}

// listen takes what Chromium says: messages of JSON, each with a zero byte
// behind it.
func (b *Browser) listen(from io.ReadCloser) {
	defer from.Close()
	r := bufio.NewReader(from)
	for {
		text, err := r.ReadBytes(0)
		if err != nil {
			b.end(fmt.Errorf("chromium has ended: %w", err))
			return
		}
		var message struct {
			ID int `json:"id"`
			reply
			Event
		}
		if err := json.Unmarshal(text[:len(text)-1], &message); err != nil {
			b.end(err)
			return
		}
		b.mu.Lock()
		if message.ID == 0 {
			b.events = append(b.events, message.Event)
		} else if ch := b.waiting[message.ID]; ch != nil {
			delete(b.waiting, message.ID)
			ch <- message.reply
		}
		b.mu.Unlock()
	}
}

// end tells all who wait that no answer will come.
func (b *Browser) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = err
	for _, ch := range b.waiting {
		close(ch)
	}
	b.waiting = nil
}

// reason tells why there will be no more answers.
func (b *Browser) reason() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// Call sends a command of the protocol and reads its answer into result, which
// may be nil.
func (b *Browser) Call(method string, params, result any) error {
	if err := b.call(method, params, result); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

func (b *Browser) call(method string, params, result any) error {
	ch := make(chan reply, 1)
	b.mu.Lock()
	if b.ended != nil {
		b.mu.Unlock()
		return b.ended
	}
	b.last++
	id := b.last
	b.waiting[id] = ch
	b.mu.Unlock()

	command := map[string]any{"id": id, "method": method}
	if params != nil {
		command["params"] = params
	}
	if b.session != "" {
		command["sessionId"] = b.session
	}
	text, err := json.Marshal(command)
	if err != nil {
		return err
	}
	if _, err := b.commands.Write(append(text, 0)); err != nil {
		return err
	}
	select {
	case answer, ok := <-ch:
		switch {
		case !ok:
			return b.reason()
		case answer.Error != nil:
			return errors.New(answer.Error.Message)
		case result != nil:
			return json.Unmarshal(answer.Result, result)
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("no answer within %v", patience)
	}
}

// Events returns what was told since the page was opened last.
func (b *Browser) Events() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.events)
}
