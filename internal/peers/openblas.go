package main

// #cgo LDFLAGS: -lopenblas
// extern void openblas_set_num_threads(int);
// extern char *openblas_get_config(void);
// extern char *openblas_get_corename(void);
import "C"

import "strings"

// setOpenBLASThreads sets how many threads the next call to OpenBLAS uses.
func setOpenBLASThreads(n int) {
	if n > 0 {
		C.openblas_set_num_threads(C.int(n))
	}
}

// openBLASVersion returns OpenBLAS's version and the kernels that it has chosen.
func openBLASVersion() string {
	config := strings.TrimPrefix(C.GoString(C.openblas_get_config()), "OpenBLAS ")
	version, _, _ := strings.Cut(config, " ")
	return version + " (" + C.GoString(C.openblas_get_corename()) + ")"
}
