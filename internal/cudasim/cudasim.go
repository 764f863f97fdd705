//go:build gpu

// Package cudasim lets tests steer the stand-in driver that its Makefile
// builds: make it fail, and read its counters. README.md says what the stand-in
// does.
package cudasim

// #cgo LDFLAGS: -ldl
// #define _GNU_SOURCE
// #include <dlfcn.h>
// #include <stdlib.h>
//
// static void *find(const char *name) {
//     void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
//     return driver ? dlsym(driver, name) : 0;
// }
// static int present(void) { return find("cudasim_get") != 0; }
// static long get(const char *name) { return ((long (*)(const char *))find("cudasim_get"))(name); }
// static int set(const char *name, long value) { return ((int (*)(const char *, long))find("cudasim_set"))(name, value); }
// static void failing(const char *call, long n) { ((void (*)(const char *, long))find("cudasim_fail"))(call, n); }
// static long products(void) {
//     void *lt = dlopen("libcublasLt.so.12", RTLD_NOW | RTLD_NOLOAD);
//     long (*count)(void) = lt ? (long (*)(void))dlsym(lt, "cudasim_lt_objects") : 0;
//     return count ? count() : 0;
// }
import "C"

import "unsafe"

// Present reports whether the driver that this program has loaded is the
// stand-in. It is loaded when a device is opened for the first time.
func Present() bool { return C.present() != 0 }

// Get returns a counter or knob; see src/state.h.
func Get(name string) int {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return int(C.get(s))
}

// Set sets a knob; see src/state.h.
func Set(knob string, value int) {
	s := C.CString(knob)
	defer C.free(unsafe.Pointer(s))
	if C.set(s, C.long(value)) != 0 {
		panic("cudasim: there is no knob " + knob)
	}
}

// Fail lets the n-th call of that name from now on fail, once; with 0, none.
func Fail(call string, n int) {
	s := C.CString(call)
	defer C.free(unsafe.Pointer(s))
	C.failing(s, C.long(n))
}

// LtObjects returns how many objects of the stand-in cublasLt are alive.
func LtObjects() int { return int(C.products()) }
