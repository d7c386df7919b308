/* Runs one op through the contract of op/op.h, without graph or planner: from plain n × c × h × w arrays into lanes,
 * through infer, prepare, pack, forward, dinput and dparam, and back to plain arrays.
 *
 * It is the strictest planner there is. Every buffer lies between guard bytes and is filled with NaN before the op
 * sees it, rows, channels and blocks are separated by gaps of NaN, scratch is spoilt between calls, dead lanes hold a
 * copy of the last live image: what reads or writes where it must not is found out by its values or by the guards. */
#ifndef LN_TESTS_OP_RUN_H
#define LN_TESTS_OP_RUN_H

#include "kernel/kernels.h"

/* How to cut the work. All zero is the plainest run: whole passes, din set, everything by one call. */
typedef struct op_cut {
    ln_write write;         /* LN_ADD: din is added to what it held; else set */
    unsigned skip;          /* bit i: din[i] is not wanted; for ops of two inputs, at most one */
    size_t   n_parts;       /* pack's shares, and the parts into which channels are cut; 0: 1 */
    size_t   band_rows;     /* rows a call for LN_LOCAL and LN_HEAD ops; 0: all */
    size_t   task_blocks;   /* blocks a forward or dinput call; 0: all */
    bool     dparam_blocks; /* dparam once a block, partial sums added in block order; else once over all blocks */
    bool     in_place;      /* LN_IN_PLACE ops: out is in[0]'s memory (unless backward reads it), din[0] is
                               dout's (with LN_SET) */
    bool     inference;     /* forward alone, training false, nothing saved */
} op_cut;

typedef struct op_run {
    const char    *line;                  /* "conv2d 7 kernel=3 stride=2" */
    ln_isa         isa;                   /* an available one, or LN_ISA_F64 */
    size_t         n;                     /* images */
    ln_shape       in[LN_MAX_INPUTS];
    const float   *x[LN_MAX_INPUTS];      /* n × c × h × w */
    const float   *param[LN_MAX_TENSORS]; /* PyTorch's order: parameters, then buffers */
    const float   *dout;                  /* n × out; not for losses */
    const float   *din[LN_MAX_INPUTS];    /* what din holds before, for LN_ADD */
    const int32_t *label;                 /* n; losses alone */
    const int32_t *second;                /* n, of mixed images, with their shares; NULL: none are mixed */
    const float   *share;
    uint64_t       seed, step;
    op_cut         cut;
} op_run;

/* Values are doubles, which hold floats exactly, so that one type serves every table. */
typedef struct op_result {
    ln_node node;                    /* as infer left it */
    double *out;                     /* n × out; losses: each image's loss */
    double *din[LN_MAX_INPUTS];      /* n × in; NULL where skipped */
    double *dparam[LN_MAX_PARAMS];   /* param.count */
    double *buffer[LN_MAX_TENSORS];  /* as the step leaves them, from the first; none in inference */
    uint8_t *hit;                    /* n; losses alone */
    char    fault[256];              /* empty, or what broke the contract: a guard, rows outside the range, … */
} op_result;

/* The node of line for inputs in; false with error filled when line or shapes are refused. */
bool op_node(const char *line, const ln_shape *in, ln_node *node, ln_error *error);

/* False with error filled when line, shapes or kernel refuse; fault is filled when the op broke the contract. */
bool op_run_all(const op_run *run, op_result *result, ln_error *error);
void op_result_free(op_result *result);

#endif
