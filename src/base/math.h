/* Our own elementary functions, of IEEE additions, multiplications, divisions and square roots alone: the same bits on
 * every machine, which the C library does not promise. Computed in double and rounded once, so a float result differs
 * from the nearest float about once in a hundred million. Kernels use kernel/vmath.h. */
#ifndef LN_BASE_MATH_H
#define LN_BASE_MATH_H

#include <stddef.h>

float ln_expf(float x);
float ln_logf(float x);           /* -inf at 0, NaN below */
float ln_tanhf(float x);
float ln_sinf(float x);           /* any finite x; NaN at infinity */
float ln_cosf(float x);
float ln_powf(float x, float y);  /* special cases as in C: pow(x, 0) = pow(1, y) = 1 even for NaN */

double ln_exp_double(double x);  /* relative error below 1e-15; 0 below -708, infinity above 709.7 */
double ln_log_double(double x);  /* likewise; -inf at 0 and for denormals, NaN below */
double ln_cos_pi(double x);      /* cos(π x) for 0 ≤ x ≤ 1; absolute error below 3e-16; exact at 0, ½ and 1 */

/* The first of n values that is NaN or infinite; n when none is. */
size_t ln_first_not_finite(const float *values, size_t n);

static inline double ln_sqrt(double x) { return __builtin_sqrt(x); } /* correctly rounded by IEEE */

#endif
