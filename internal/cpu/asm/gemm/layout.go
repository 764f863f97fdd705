package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"log"
)

// A layout is the package of the kernels as far as the generator needs it: the
// types in the signatures and the offsets of struct fields, read from the Go
// source so that they are declared once.
type layout struct{ pkg *types.Package }

func loadLayout(files ...string) layout {
	set := token.NewFileSet()
	var parsed []*ast.File
	for _, name := range files {
		f, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			log.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	cfg := types.Config{Importer: vocabulary{}, Sizes: types.SizesFor("gc", "amd64")}
	pkg, err := cfg.Check("gemm", set, parsed, nil)
	if err != nil {
		log.Fatal(err)
	}
	return layout{pkg}
}

// vocabulary imports package kernel, the only one that the layout needs, from
// its source.
type vocabulary struct{}

func (vocabulary) Import(path string) (*types.Package, error) {
	set := token.NewFileSet()
	//lint:ignore SA1019 the folder holds one package, of which the declarations alone are read
	packages, err := parser.ParseDir(set, "../../kernel", nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, f := range packages["kernel"].Files {
		files = append(files, f)
	}
	// What the package imports is of no interest, and an error.
	cfg := types.Config{Error: func(error) {}}
	pkg, _ := cfg.Check(path, set, files, nil)
	return pkg, nil
}

// offsets returns the offset of every field of the struct type that expr
// denotes.
func (l layout) offsets(expr string) map[string]int {
	v, err := types.Eval(token.NewFileSet(), l.pkg, token.NoPos, expr)
	if err != nil {
		log.Fatal(err)
	}
	s := v.Type.Underlying().(*types.Struct)
	var fields []*types.Var
	for i := range s.NumFields() {
		fields = append(fields, s.Field(i))
	}
	m := map[string]int{}
	for i, o := range types.SizesFor("gc", "amd64").Offsetsof(fields) {
		m[fields[i].Name()] = int(o)
	}
	return m
}
