package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// interruptedError ends the program with the exit code of an interrupt.
type interruptedError struct{ error }

// untilInterrupted returns a context that ends with the first Ctrl-C or
// termination signal, when it says what happens now. A second one stops the
// program at once. done releases the signals.
func untilInterrupted(parent context.Context, stderr io.Writer, what string) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	released := make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		for n := 1; ; n++ {
			select {
			case <-signals:
				if n > 1 {
					os.Exit(exitInterrupted)
				}
				fmt.Fprintf(stderr, "\n%s; interrupt again to stop at once\n", what)
				cancel()
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
