// Command train trains Gorgonia models made of the layers of this module.
//
//	go run ./cmd/train             trains the default model on the default dataset
//	go run ./cmd/train --help      lists the commands
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	keepClosedPipes()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// interruptedError ends the program with the exit code of an interrupt.
type interruptedError struct{ error }

func (e *interruptedError) Unwrap() error { return e.error }

// untilInterrupted returns a context that ends with the first Ctrl-C,
// termination signal or hang-up, when it says what happens now. A second Ctrl-C
// or termination signal stops the program at once; further hang-ups, which
// shells and terminals send together, do not. A program that was started to
// outlive its terminal (nohup) ignores hang-ups. done releases the signals.
func untilInterrupted(parent context.Context, stderr io.Writer, what string) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 4)
	released := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		for first := true; ; first = false {
			select {
			case s := <-signals:
				if !first && s != syscall.SIGHUP {
					os.Exit(exitInterrupted)
				}
				if first {
					fmt.Fprintf(stderr, "\n%s; interrupt again to stop at once\n", what)
					cancel()
				}
			case <-released:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(released)
		cancel()
	}
}

// keepClosedPipes lets writing to a pipe that nobody reads any more fail, where
// it would end the program, perhaps in the middle of a training.
func keepClosedPipes() { signal.Ignore(syscall.SIGPIPE) }

// isClosedPipe reports whether whoever read the output has had enough of it.
func isClosedPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }
