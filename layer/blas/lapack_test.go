package blas_test

import (
	"maps"
	"os"
	"slices"
	"testing"

	affineblas "github.com/affine-go/affine/layer/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	lapackgonum "gonum.org/v1/gonum/lapack/gonum"
	"gonum.org/v1/gonum/lapack/testlapack"
)

// gonum's own tests of its LAPACK, which computes with blas64's implementation.
// All of them take half a minute; a few that are made of Gemm and
// Syrk always run.
func TestGonumsLapackOnThisBLAS(t *testing.T) {
	blas64.Use(affineblas.Implementation{})
	defer blas64.Use(gonum.Implementation{})
	tests := maps.Clone(lapackTests)
	if os.Getenv("AFFINE_TEST_LONG") != "" {
		maps.Copy(tests, moreLapackTests)
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		t.Run(name, tests[name])
	}
}

var lapack = lapackgonum.Implementation{}

var lapackTests = map[string]func(*testing.T){
	"Dgetrf": func(t *testing.T) { testlapack.DgetrfTest(t, lapack) },
	"Dpotrf": func(t *testing.T) { testlapack.DpotrfTest(t, lapack) },
	"Dgeqrf": func(t *testing.T) { testlapack.DgeqrfTest(t, lapack) },
	"Dlauum": func(t *testing.T) { testlapack.DlauumTest(t, lapack) },
	"Dtrtri": func(t *testing.T) { testlapack.DtrtriTest(t, lapack) },
}

// Without Dlaln2Test: Dlaln2 calls no BLAS, and gonum draws its cases without a
// seed, of which now and then one is too ill-conditioned for its tolerance.
var moreLapackTests = map[string]func(*testing.T){
	"Dgetri":  func(t *testing.T) { testlapack.DgetriTest(t, lapack) },
	"Dpotri":  func(t *testing.T) { testlapack.DpotriTest(t, lapack) },
	"Dpbtrf":  func(t *testing.T) { testlapack.DpbtrfTest(t, lapack) },
	"Dlarfb":  func(t *testing.T) { testlapack.DlarfbTest(t, lapack) },
	"Dormqr":  func(t *testing.T) { testlapack.DormqrTest(t, lapack) },
	"Dorgqr":  func(t *testing.T) { testlapack.DorgqrTest(t, lapack) },
	"Dgels":   func(t *testing.T) { testlapack.DgelsTest(t, lapack) },
	"Dgetrs":  func(t *testing.T) { testlapack.DgetrsTest(t, lapack) },
	"Dsytrd":  func(t *testing.T) { testlapack.DsytrdTest(t, lapack) },
	"Dbdsqr":  func(t *testing.T) { testlapack.DbdsqrTest(t, lapack) },
	"Dgebak":  func(t *testing.T) { testlapack.DgebakTest(t, lapack) },
	"Dgebal":  func(t *testing.T) { testlapack.DgebalTest(t, lapack) },
	"Dgebd2":  func(t *testing.T) { testlapack.Dgebd2Test(t, lapack) },
	"Dgebrd":  func(t *testing.T) { testlapack.DgebrdTest(t, lapack) },
	"Dgecon":  func(t *testing.T) { testlapack.DgeconTest(t, lapack) },
	"Dgeev":   func(t *testing.T) { testlapack.DgeevTest(t, lapack) },
	"Dgehd2":  func(t *testing.T) { testlapack.Dgehd2Test(t, lapack) },
	"Dgehrd":  func(t *testing.T) { testlapack.DgehrdTest(t, lapack) },
	"Dgelq2":  func(t *testing.T) { testlapack.Dgelq2Test(t, lapack) },
	"Dgelqf":  func(t *testing.T) { testlapack.DgelqfTest(t, lapack) },
	"Dgeql2":  func(t *testing.T) { testlapack.Dgeql2Test(t, lapack) },
	"Dgeqp3":  func(t *testing.T) { testlapack.Dgeqp3Test(t, lapack) },
	"Dgeqr2":  func(t *testing.T) { testlapack.Dgeqr2Test(t, lapack) },
	"Dgerq2":  func(t *testing.T) { testlapack.Dgerq2Test(t, lapack) },
	"Dgerqf":  func(t *testing.T) { testlapack.DgerqfTest(t, lapack) },
	"Dgesc2":  func(t *testing.T) { testlapack.Dgesc2Test(t, lapack) },
	"Dgesv":   func(t *testing.T) { testlapack.DgesvTest(t, lapack) },
	"Dgetc2":  func(t *testing.T) { testlapack.Dgetc2Test(t, lapack) },
	"Dgetf2":  func(t *testing.T) { testlapack.Dgetf2Test(t, lapack) },
	"Dgghrd":  func(t *testing.T) { testlapack.DgghrdTest(t, lapack) },
	"Dggsvd3": func(t *testing.T) { testlapack.Dggsvd3Test(t, lapack) },
	"Dggsvp3": func(t *testing.T) { testlapack.Dggsvp3Test(t, lapack) },
	"Dgtsv":   func(t *testing.T) { testlapack.DgtsvTest(t, lapack) },
	"Dhseqr":  func(t *testing.T) { testlapack.DhseqrTest(t, lapack) },
	"Dlabrd":  func(t *testing.T) { testlapack.DlabrdTest(t, lapack) },
	"Dlacn2":  func(t *testing.T) { testlapack.Dlacn2Test(t, lapack) },
	"Dlacpy":  func(t *testing.T) { testlapack.DlacpyTest(t, lapack) },
	"Dlae2":   func(t *testing.T) { testlapack.Dlae2Test(t, lapack) },
	"Dlaev2":  func(t *testing.T) { testlapack.Dlaev2Test(t, lapack) },
	"Dlaexc":  func(t *testing.T) { testlapack.DlaexcTest(t, lapack) },
	"Dlag2":   func(t *testing.T) { testlapack.Dlag2Test(t, lapack) },
	"Dlags2":  func(t *testing.T) { testlapack.Dlags2Test(t, lapack) },
	"Dlagtm":  func(t *testing.T) { testlapack.DlagtmTest(t, lapack) },
	"Dlahqr":  func(t *testing.T) { testlapack.DlahqrTest(t, lapack) },
	"Dlahr2":  func(t *testing.T) { testlapack.Dlahr2Test(t, lapack) },
	"Dlangb":  func(t *testing.T) { testlapack.DlangbTest(t, lapack) },
	"Dlange":  func(t *testing.T) { testlapack.DlangeTest(t, lapack) },
	"Dlangt":  func(t *testing.T) { testlapack.DlangtTest(t, lapack) },
	"Dlanhs":  func(t *testing.T) { testlapack.DlanhsTest(t, lapack) },
	"Dlansb":  func(t *testing.T) { testlapack.DlansbTest(t, lapack) },
	"Dlanst":  func(t *testing.T) { testlapack.DlanstTest(t, lapack) },
	"Dlansy":  func(t *testing.T) { testlapack.DlansyTest(t, lapack) },
	"Dlantb":  func(t *testing.T) { testlapack.DlantbTest(t, lapack) },
	"Dlantr":  func(t *testing.T) { testlapack.DlantrTest(t, lapack) },
	"Dlanv2":  func(t *testing.T) { testlapack.Dlanv2Test(t, lapack) },
	"Dlapll":  func(t *testing.T) { testlapack.DlapllTest(t, lapack) },
	"Dlapmr":  func(t *testing.T) { testlapack.DlapmrTest(t, lapack) },
	"Dlapmt":  func(t *testing.T) { testlapack.DlapmtTest(t, lapack) },
	"Dlapy2":  func(t *testing.T) { testlapack.Dlapy2Test(t, lapack) },
	"Dlaqp2":  func(t *testing.T) { testlapack.Dlaqp2Test(t, lapack) },
	"Dlaqps":  func(t *testing.T) { testlapack.DlaqpsTest(t, lapack) },
	"Dlaqr04": func(t *testing.T) { testlapack.Dlaqr04Test(t, lapack) },
	"Dlaqr1":  func(t *testing.T) { testlapack.Dlaqr1Test(t, lapack) },
	"Dlaqr23": func(t *testing.T) { testlapack.Dlaqr23Test(t, lapack) },
	"Dlaqr5":  func(t *testing.T) { testlapack.Dlaqr5Test(t, lapack) },
	"Dlarf":   func(t *testing.T) { testlapack.DlarfTest(t, lapack) },
	"Dlarfg":  func(t *testing.T) { testlapack.DlarfgTest(t, lapack) },
	"Dlarft":  func(t *testing.T) { testlapack.DlarftTest(t, lapack) },
	"Dlarfx":  func(t *testing.T) { testlapack.DlarfxTest(t, lapack) },
	"Dlartg":  func(t *testing.T) { testlapack.DlartgTest(t, lapack) },
	"Dlas2":   func(t *testing.T) { testlapack.Dlas2Test(t, lapack) },
	"Dlascl":  func(t *testing.T) { testlapack.DlasclTest(t, lapack) },
	"Dlaset":  func(t *testing.T) { testlapack.DlasetTest(t, lapack) },
	"Dlasq1":  func(t *testing.T) { testlapack.Dlasq1Test(t, lapack) },
	"Dlasq2":  func(t *testing.T) { testlapack.Dlasq2Test(t, lapack) },
	"Dlasr":   func(t *testing.T) { testlapack.DlasrTest(t, lapack) },
	"Dlasrt":  func(t *testing.T) { testlapack.DlasrtTest(t, lapack) },
	"Dlassq":  func(t *testing.T) { testlapack.DlassqTest(t, lapack) },
	"Dlasv2":  func(t *testing.T) { testlapack.Dlasv2Test(t, lapack) },
	"Dlaswp":  func(t *testing.T) { testlapack.DlaswpTest(t, lapack) },
	"Dlasy2":  func(t *testing.T) { testlapack.Dlasy2Test(t, lapack) },
	"Dlatbs":  func(t *testing.T) { testlapack.DlatbsTest(t, lapack) },
	"Dlatrd":  func(t *testing.T) { testlapack.DlatrdTest(t, lapack) },
	"Dlatrs":  func(t *testing.T) { testlapack.DlatrsTest(t, lapack) },
	"Dlauu2":  func(t *testing.T) { testlapack.Dlauu2Test(t, lapack) },
	"Dorg2l":  func(t *testing.T) { testlapack.Dorg2lTest(t, lapack) },
	"Dorg2r":  func(t *testing.T) { testlapack.Dorg2rTest(t, lapack) },
	"Dorgbr":  func(t *testing.T) { testlapack.DorgbrTest(t, lapack) },
	"Dorghr":  func(t *testing.T) { testlapack.DorghrTest(t, lapack) },
	"Dorgl2":  func(t *testing.T) { testlapack.Dorgl2Test(t, lapack) },
	"Dorglq":  func(t *testing.T) { testlapack.DorglqTest(t, lapack) },
	"Dorgql":  func(t *testing.T) { testlapack.DorgqlTest(t, lapack) },
	"Dorgr2":  func(t *testing.T) { testlapack.Dorgr2Test(t, lapack) },
	"Dorgtr":  func(t *testing.T) { testlapack.DorgtrTest(t, lapack) },
	"Dorm2r":  func(t *testing.T) { testlapack.Dorm2rTest(t, lapack) },
	"Dormbr":  func(t *testing.T) { testlapack.DormbrTest(t, lapack) },
	"Dormhr":  func(t *testing.T) { testlapack.DormhrTest(t, lapack) },
	"Dorml2":  func(t *testing.T) { testlapack.Dorml2Test(t, lapack) },
	"Dormlq":  func(t *testing.T) { testlapack.DormlqTest(t, lapack) },
	"Dormr2":  func(t *testing.T) { testlapack.Dormr2Test(t, lapack) },
	"Dpbcon":  func(t *testing.T) { testlapack.DpbconTest(t, lapack) },
	"Dpbtf2":  func(t *testing.T) { testlapack.Dpbtf2Test(t, lapack) },
	"Dpbtrs":  func(t *testing.T) { testlapack.DpbtrsTest(t, lapack) },
	"Dpocon":  func(t *testing.T) { testlapack.DpoconTest(t, lapack) },
	"Dpotf2":  func(t *testing.T) { testlapack.Dpotf2Test(t, lapack) },
	"Dpotrs":  func(t *testing.T) { testlapack.DpotrsTest(t, lapack) },
	"Dpstf2":  func(t *testing.T) { testlapack.Dpstf2Test(t, lapack) },
	"Dpstrf":  func(t *testing.T) { testlapack.DpstrfTest(t, lapack) },
	"Dptcon":  func(t *testing.T) { testlapack.DptconTest(t, lapack) },
	"Dptsv":   func(t *testing.T) { testlapack.DptsvTest(t, lapack) },
	"Dpttrf":  func(t *testing.T) { testlapack.DpttrfTest(t, lapack) },
	"Dpttrs":  func(t *testing.T) { testlapack.DpttrsTest(t, lapack) },
	"Drscl":   func(t *testing.T) { testlapack.DrsclTest(t, lapack) },
	"Dsteqr":  func(t *testing.T) { testlapack.DsteqrTest(t, lapack) },
	"Dsterf":  func(t *testing.T) { testlapack.DsterfTest(t, lapack) },
	"Dsyev":   func(t *testing.T) { testlapack.DsyevTest(t, lapack) },
	"Dsytd2":  func(t *testing.T) { testlapack.Dsytd2Test(t, lapack) },
	"Dtbtrs":  func(t *testing.T) { testlapack.DtbtrsTest(t, lapack) },
	"Dtgsja":  func(t *testing.T) { testlapack.DtgsjaTest(t, lapack) },
	"Dtrcon":  func(t *testing.T) { testlapack.DtrconTest(t, lapack) },
	"Dtrevc3": func(t *testing.T) { testlapack.Dtrevc3Test(t, lapack) },
	"Dtrexc":  func(t *testing.T) { testlapack.DtrexcTest(t, lapack) },
	"Dtrti2":  func(t *testing.T) { testlapack.Dtrti2Test(t, lapack) },
	"Dtrtrs":  func(t *testing.T) { testlapack.DtrtrsTest(t, lapack) },
	"Iladlc":  func(t *testing.T) { testlapack.IladlcTest(t, lapack) },
	"Iladlr":  func(t *testing.T) { testlapack.IladlrTest(t, lapack) },
	"Dgesvd":  func(t *testing.T) { testlapack.DgesvdTest(t, lapack, 1e-13) },
}
