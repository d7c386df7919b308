/* The contract of an op: what a layer or loss tells the planner, and what its kernels are given.
 *
 * An op is one file under src/op/ in two halves. The descriptor half (LN_DESCRIPTOR) is compiled once and says what
 * the op is: arguments, shapes, parameters, cost, traits. The kernel half is compiled once per instruction set, with
 * `real`, `lanes` and `vec` of kernel/vec.h, and says how it is computed. Nobody else switches on the kind of an op.
 *
 * Activations come in blocks of 16 images: element (c, h, w) of a block is one `lanes`. Kernels see them as views.
 * Invariants that every kernel keeps:
 * - the sum behind an output element is taken in an order fixed by the node's shapes, never by ranges, tiles, vector
 *   width or threads (so any split of a pass into ranges gives the same bits);
 * - lanes do not mix, but in dparam and in ops with LN_CROSS_BATCH;
 * - dead lanes hold finite copies of a live image; losses give them zero gradient, so they add nothing;
 * - NaN in, NaN out. */
#ifndef LN_OP_OP_H
#define LN_OP_OP_H

#include "base/attr.h"
#include "base/context.h"
#include "base/random.h"

enum { LN_LANES = 16, LN_MAX_INPUTS = 2, LN_MAX_PARAMS = 2, LN_MAX_TENSORS = 4, LN_MAX_ARGS = 320, LN_NAME = 32,
       LN_MAX_LINE = LN_MAX_REST + 96 };

typedef struct ln_shape { size_t c, h, w; } ln_shape; /* one image */
static inline size_t ln_shape_count(ln_shape s) { return s.c * s.h * s.w; } /* infer has checked the product */
/* Groups of sixteen channels, the last one perhaps not full. */
static inline size_t ln_channel_groups(size_t channels) { return (channels + LN_LANES - 1) / LN_LANES; }

/* One tensor that a layer keeps, in PyTorch's order: a parameter, or a buffer (kept and saved, but not learned). */
typedef struct ln_param {
    const char *name;          /* "weight" */
    char        full_name[48]; /* "0.weight": the layer's name before it; set when the layer is added */
    size_t      rank, dims[4], count;
    size_t      fan_in, fan_out;
    bool        is_bias;       /* initialised as the bias */
    bool        is_constant;   /* begins as `constant`, whatever the init */
    double      constant;
} ln_param;

/* How a layer learns. */
typedef struct ln_learning {
    double lr_factor; /* the rate is multiplied by this */
    bool   frozen;    /* its parameters stay as they are */
} ln_learning;

typedef struct ln_op   ln_op;
typedef struct ln_node ln_node;

/* A layer of a model: an op with arguments, inputs and what infer found. */
struct ln_node {
    const ln_op *op;
    size_t       index;                   /* position in the model: 0 is the first layer line */
    char         name[LN_NAME];           /* "0", or what `as` said */
    size_t       n_inputs;
    int          input[LN_MAX_INPUTS];    /* node indices; -1 is the model's input */
    ln_shape     in[LN_MAX_INPUTS], out;
    size_t       n_params, n_buffers;
    ln_param     param[LN_MAX_TENSORS];   /* n_params that are learned, then n_buffers */
    ln_init      init;
    ln_learning  learning;
    ln_size2     halo;                    /* in[0] lies inside a border of zeros, this many rows above and below and
                                             columns left and right; din[0] likewise, where the border may be written
                                             and is never read. infer sets it (a convolution's padding) */
    bool         own_channels;            /* input and output channel c see each other alone: dinput may be run for any
                                             range of channels, of a head too. infer sets it (depthwise) */
    uint64_t     n_macs;                  /* for one image */
    _Alignas(16) unsigned char args[LN_MAX_ARGS]; /* the op's argument struct */
};

typedef enum ln_trait {
    LN_LOCAL = 1,        /* output rows of a channel need only `window` rows of the same channel: may be run by bands
                            of rows and channels behind a head; kernels of others get all rows (but see LN_HEAD). With
                            LN_CROSS_BATCH: so in prediction, and in training each pass by channels */
    LN_HEAD = 2,         /* forward and dparam may be run for any range of output channels and rows */
    LN_IN_PLACE = 4,     /* out may be the same memory as in[0], dinput the same as dout (element by element) */
    LN_VIEW = 8,         /* the output is the input's memory under another shape: the kernel (a copy) runs only where
                            a halo keeps the two apart */
    LN_CROSS_BATCH = 16, /* uses forward[1] and dinput[1]: needs the whole batch */
    LN_RANDOM = 32,      /* draws numbers (by seed, layer, step and image) */
    LN_LOSS = 64,        /* has a target; out is the loss of each image: shape 1×1×1 */
    LN_NEEDS_IN = 128,   /* backward reads in[] */
    LN_NEEDS_OUT = 256,  /* backward reads out */
    LN_CHECKS = 1024,    /* dparam itself looks for values that are not finite (task->bad), while they are at hand */
    LN_KINKS = 512,      /* saved holds the choices that forward made (signs, places of maxima): where they change
                            between two points there is a kink between them, and differences mean nothing */
    LN_LEARNS = 2048,    /* has parameters: its line takes lr_factor and frozen as well */
    LN_MIXES = 8192,     /* with LN_LOSS: takes a second label of mixed images (ln_labels) */
    LN_DRAWS = 4096      /* with LN_LEARNS: an init draws them (none is_constant): takes init, std, bias_std, too */
} ln_trait;

/* What losses want of each image: its label, and where images are mixed (second is not NULL) another one with its
 * share, at most a half: its loss is (1 - share) times that by the first label and share times that by the second. */
typedef struct ln_labels { const int32_t *first, *second; const float *share; } ln_labels;

/* What the outputs of an op are; of a loss: what it takes. */
typedef enum ln_meaning { LN_ANY_VALUES, LN_LOGITS, LN_PROBABILITIES, LN_LOG_PROBABILITIES } ln_meaning;

struct ln_op {
    const char    *name;   /* the recipe's word */
    const char    *help;   /* one line */
    const ln_attr *attrs;
    size_t         args_size;
    unsigned       traits;
    unsigned       n_inputs; /* 1 or 2; the second is named by the LN_ATTR_NAME argument */
    /* From op, args and in: out, param, n_macs. Checks every combination, every product for overflow; messages begin
     * with the layer ("layer 3 (conv2d)": ln_fail_node). */
    ln_status (*infer)(ln_node *node, ln_error *error);
    /* Outputs lie in [low, high] (both 0: anywhere; high may be infinite), or in what bounds says of the arguments.
     * check calls a channel that never leaves low under an infinite high dead, and saturated a value within a hundredth
     * of finite bounds, or of a low below 0 alone. */
    double low, high;
    void (*bounds)(const ln_node *node, double *low, double *high);
    ln_meaning meaning;
    /* LN_LOSS: what an image's loss is multiplied by in the gradient of a batch of n images with these labels: 1/n for
     * a mean, 1 for a sum. The kernels find it in task->weight. */
    double (*weight)(const ln_node *node, const ln_labels *labels, size_t n);
    /* LN_LOSS: how many classes labels may name (NULL: as many as there are outputs), and the probabilities of these
     * classes that one image's outputs stand for, in plain C: the same bits on every machine. */
    size_t (*classes)(const ln_node *node);
    void (*probabilities)(const ln_node *node, const float *outputs, float *p);
    /* The kernel of an op that is not in the list (a program's own); NULL for those in it. */
    const struct ln_kernel *(*kernel)(ln_isa isa);
    /* LN_LOCAL: input rows [*in_lo, *in_hi) behind output rows [lo, hi). NULL: the same rows. True when the ranges of
     * adjacent bands partition the input's rows (rows that nothing needs belong to a neighbour), so that dinput may be
     * run by bands, each of which writes its whole range; false when they overlap: dinput takes all rows at once. */
    bool (*window)(const ln_node *node, size_t lo, size_t hi, size_t *in_lo, size_t *in_hi);
    /* LN_CROSS_BATCH: images that it must have to train on. NULL: one. */
    size_t (*least_batch)(const ln_node *node);
};

/* Parameters and buffers. */
static inline size_t ln_node_tensors(const ln_node *node) { return node->n_params + node->n_buffers; }
/* What an L2 penalty and a decay of weights alone mean by a weight: no bias, and nothing that begins as a constant. */
static inline bool ln_is_weight(const ln_param *param) { return !param->is_bias && !param->is_constant; }

/* infer of ops whose output has its input's shape, and that is all. */
ln_status ln_infer_same(ln_node *node, ln_error *error);

/* Fills error with "layer NAME (OP): …" and returns status. */
ln_status ln_fail_node(ln_error *error, ln_status status, const ln_node *node, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* ------------------------------------------------------------------ kernels */

/* Activations of some blocks: (block i, channel c, row h, column w) is
 * ((lanes *)data)[i*block + (c - c0)*channel + (h - h0)*row + w]; i counts from the task's first block. A view may
 * hold a band only: channels from c0, rows from h0. Strides are in lanes; columns are adjacent. */
typedef struct ln_view { void *data; size_t block, channel, row, c0, h0; } ln_view;

/* One image at a time (a small batch, to be predicted quickly) the layout is turned round: a block is one image, and a
 * lanes is sixteen neighbouring channels of one pixel: (image i, channels 16g … 16g + 15, row h, column w) is
 * ((lanes *)data)[i*block + g*channel + h*row + w]. A task's channels then count such groups, and local ops without
 * parameters run as they are. The model's input alone is planar: floats [c][h][w], its strides counted in floats. */

/* What to do with a result: a tensor with two consumers gets LN_SET from one and LN_ADD from the other. */
typedef enum ln_write { LN_SKIP, LN_SET, LN_ADD } ln_write;

typedef struct ln_task {
    const ln_node *node;
    size_t   n_blocks;             /* views, live, images, labels, saved start at the first of them */
    /* forward, dparam: the part of the output to compute. dinput of LN_LOCAL ops: the part of dout to pass back (rows
     * outside their windows stay untouched). dinput of other ops: the channels of in[] to compute, all rows. */
    size_t   c_lo, c_hi, h_lo, h_hi;
    size_t   part, n_parts;        /* pack and meet: which share of the work */
    const size_t *choice;          /* need.choice, as prepare left it */
    ln_view  in[LN_MAX_INPUTS], out, dout, din[LN_MAX_INPUTS];
    ln_write write[LN_MAX_INPUTS]; /* how to write din */
    void    *param[LN_MAX_TENSORS]; /* real, PyTorch's order: parameters, then buffers (which settle alone changes) */
    void    *dparam[LN_MAX_PARAMS]; /* real: set by dparam (never added to) for the task's channels, or by
                                       dinput's meet; NULL where nobody wants it (frozen) */
    bool    *bad;                  /* LN_CHECKS: dparam sets bad[k] where a value of dparam[k] fails all_finite */
    void    *packed;               /* real: need.n_packed of them, filled by pack before a step */
    unsigned char *saved;          /* need.saved bytes a block, kept from forward to backward; NULL in inference */
    size_t   saved_stride;
    void    *scratch;              /* need.scratch bytes, this thread's alone, contents undefined between calls, but
                                      kept from band to band within one block's dparam */
    const uint16_t *live;          /* per block: bit l is set when lane l is a live image */
    const uint32_t *image;         /* per block and lane: the image's number in its data set */
    ln_labels label;               /* per block and lane, in dead lanes not to be read; losses only */
    uint8_t  *hit;                 /* per block and lane: losses that know a right answer set 1 or 0 */
    size_t   batch;                /* live images in the whole batch */
    double   weight;               /* losses: what the op's weight says of the whole batch */
    uint64_t seed, step;
    bool     training;
    bool     planar;               /* one image at a time: in[0] is the model's input */
} ln_task;

/* What a kernel asks of the planner for one node. The planner sets the fields before grain. */
typedef struct ln_need {
    size_t n_parts;       /* into how many parts the channels may be cut (threads), 1: never */
    bool   training;
    size_t n_blocks;      /* blocks of the whole batch */
    size_t band_rows;     /* rows per dparam call, when the planner runs bands; 0: all */
    size_t grain;         /* out: ranges begin at multiples of this many output channels (1 by default) */
    size_t sum_grain;     /* out: output channels that dparam likes to be given at a time (1 by default) */
    bool   sum_inputs;    /* out: under LN_POLICY_BATCH, dparam is shared out by channels of in[0], in sixteens (an op
                             that asks for it has LN_CHECKS): then c_lo and c_hi are of those, and it computes what
                             all outputs have of them */
    size_t choice[4];     /* out: whatever prepare decided (tile sizes): tasks give it back */
    size_t n_packed;      /* out: reals in packed */
    size_t scratch;       /* out: bytes for each thread */
    size_t saved;         /* out: bytes for each block */
} ln_need;

typedef struct ln_pass {
    void (*run)(const ln_task *task);  /* blocks in parallel */
    void (*meet)(const ln_task *task); /* once, after all blocks: task views start at the batch's first block */
} ln_pass;

typedef struct ln_kernel {
    const char *(*refuse)(const ln_node *node);           /* NULL pointer or result: accepts; else the reason */
    void (*prepare)(const ln_node *node, ln_need *need);  /* NULL: needs nothing, grain 1 */
    void (*pack)(const ln_task *task);                    /* params → packed, part of n_parts */
    void (*settle)(const ln_task *task);                  /* after a step that is taken: brings the buffers up to date
                                                             from what is saved (of all blocks), part of n_parts */
    ln_pass forward[2], dinput[2];                        /* the second pair for LN_CROSS_BATCH */
    void (*dparam)(const ln_task *task);                  /* the task's blocks' sum, in block and image order. But for
                                                             LN_HEAD dinput has run before, even where it is to skip
                                                             all inputs, and dparam may read what it has saved, but
                                                             no view: other things may lie there by now */
    struct {                                              /* one image at a time, forward only: what goes by channel */
        const char *(*refuse)(const ln_node *node);
        void (*prepare)(const ln_node *node, ln_need *need);
        void (*pack)(const ln_task *task);
        void (*run)(const ln_task *task);                 /* same sums in the same order as forward: same bits */
    } image;
} ln_kernel;

/* ops.def states every op once; X-macros make the lists. */
#define LN_OP(name) LN_OP_##name,
typedef enum ln_op_id {
#include "op/ops.def"
    LN_OP_COUNT
} ln_op_id;
#undef LN_OP

extern const ln_op *const ln_ops[LN_OP_COUNT];
const ln_op *ln_op_find(const char *name); /* or NULL */
/* The layer, or the loss, of that name; NULL and an error that lists what is allowed. */
const ln_op *ln_op_named(const char *word, bool loss, ln_error *error);

#endif
