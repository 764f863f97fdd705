// Command train trains Gorgonia models made of the layers of this module.
//
//	go run ./cmd/train             trains the default model on the default dataset
//	go run ./cmd/train --help      lists the commands
package main

import "os"

func main() {
	keepClosedPipes()
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
