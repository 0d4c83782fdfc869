#define HONE_ROWS_TARGET rows_avx512
#include "kernels/rows/rows_inl.h"
