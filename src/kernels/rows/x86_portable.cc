#define HONE_ROWS_TARGET rows_portable
#include "kernels/rows/rows_inl.h"
