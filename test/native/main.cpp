// nf_tests [FILTER]: runs the tests whose name contains FILTER.
#include "support/check.h"

int main(int n_arguments, char** arguments) { return nf::test::run_all(n_arguments > 1 ? arguments[1] : ""); }
