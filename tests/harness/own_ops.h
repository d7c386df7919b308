/* Ops that are not in the list, each of a kind that the list lacks today: descriptors here and in own_ops.c, kernels in
 * tests/own_kernel.c, compiled for every instruction set.
 *
 * centre  y = s_c · (x - m_c), m_c the mean of channel c over the live images of the batch; s learnt (LN_CROSS_BATCH).
 *         With xc = x - m and N values a channel:  ds_c = Σ dy · xc,  dx = s_c · (dy - mean dy); 0 in dead lanes.
 *         In prediction, where there is no batch, y = s_c · x.
 * drop    y = x / (1 - p) or, with probability p, 0; drawn for each step, image and value (LN_RANDOM)
 * skew    y = x, but dx = factor · dy: wrong unless factor is 1 */
#ifndef LN_TESTS_OWN_OPS_H
#define LN_TESTS_OWN_OPS_H

#include "op/op.h"

typedef struct drop_args { double p; } drop_args;
typedef struct skew_args { double factor; } skew_args;

extern const ln_op own_centre, own_drop, own_skew;

#endif
