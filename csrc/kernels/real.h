/* The number type of this compilation. */
#include "compiler.h"

#ifdef FBP_F32
typedef float real;
#else
typedef double real;
#endif
