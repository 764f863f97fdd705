//go:build !linux

package mpi

func processors() string { return "" }
