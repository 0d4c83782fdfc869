#define HONE_ROWS_TARGET rows_avx2
#include "kernels/rows/rows_inl.h"
