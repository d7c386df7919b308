/* A plan: everything that can be decided before the first step.
 *
 * The model's layers are grouped into units: a head (a convolution, a linear layer, a normalisation over the batch) and
 * the local layers behind it (activation, pooling, addition), which run together by bands of rows and channels, so that
 * what lies between them stays in the first-level cache. Units are lined up in segments. In a segment by blocks a
 * thread takes its blocks through all of the segment's phases, a chunk of blocks at a time; forward and backward of the
 * last segment are one, so activations sit in the cache until the backward needs them. In a segment by parts all
 * threads share the work of every phase, channel by channel, and meet after each: for batches of fewer blocks than
 * threads, and for weights too large to be
 * read once by every thread. Between segments all threads meet.
 * None of these decisions changes a bit of the result: sums are ordered by the ops and by the gradient policies. */
#ifndef LN_GRAPH_PLAN_H
#define LN_GRAPH_PLAN_H

#include "graph/graph.h"
#include "kernel/kernels.h"

enum { LN_MAX_UNIT = 8 }; /* layers that run together at most */

typedef struct ln_plan_options {
    const ln_kernels *kernels;
    size_t batch;           /* images at most */
    int    n_threads;
    bool   training;        /* false: forward only */
    bool   loss;            /* forward only: measure the loss as well (training does) */
    bool   keep_all;        /* every activation and gradient of the batch stays in memory, nothing is fused */
    bool   image;           /* one image at a time: lanes are channels; forward without loss only */
    bool   input_gradient;  /* compute the gradient of the model's input too */
    size_t n_states;        /* of the optimizer, a parameter */
    bool   average;         /* one more: the moving average of the weights */
    bool   squares;         /* room for sums of squares of gradients and weights */
    size_t band_bytes;      /* what lies between the layers of a unit takes no more if it can; 0: as is fastest */
} ln_plan_options;

typedef enum ln_place {
    LN_PLACE_NONE,   /* not in memory */
    LN_PLACE_SHARED, /* all blocks of the batch */
    LN_PLACE_THREAD, /* one chunk of blocks, per thread */
    LN_PLACE_BLOCK,  /* one block, per thread, within a unit */
    LN_PLACE_BAND    /* a band of one block, per thread, within a unit */
} ln_place;

/* A tensor of a block: an activation or its gradient. */
typedef struct ln_slot {
    ln_shape shape;      /* in lanes: one image at a time, c counts groups of 16 channels */
    bool     planar;     /* floats instead: the model's input, one image at a time */
    size_t   base;       /* the tensor whose memory this is (itself, or through in-place layers and views) */
    ln_size2 halo;
    ln_place place;
    size_t   offset;     /* bytes, into the place's arena */
    size_t   first, last; /* times of use; of shared memory: eras */
    size_t   first_era, last_era;
    bool     used, written; /* gradients: is it wanted, and does a layer behind set it already? */
} ln_slot;

typedef enum ln_policy {
    LN_POLICY_NONE,
    LN_POLICY_BLOCK, /* a partial sum for each block, then summed in block order */
    LN_POLICY_BATCH, /* over the whole batch at once, split over output channels */
    LN_POLICY_MEET   /* by dinput's meet (LN_CROSS_BATCH) */
} ln_policy;

typedef struct ln_plan_node {
    const ln_node   *node;
    const ln_kernel *kernel;
    ln_need   need;
    ln_policy policy;
    ln_write  write[LN_MAX_INPUTS];
    size_t    packed, saved, states, gradient[LN_MAX_PARAMS], partial[LN_MAX_PARAMS]; /* offsets in bytes */
    size_t    scratch;                  /* offset in bytes: a head's dparam keeps its own while others work */
    ln_place  saved_place;
    size_t    parameters;               /* f64: offset of the converted parameters */
    size_t    tensor_in[LN_MAX_INPUTS], tensor_out;
    bool      runs;                     /* false: a view whose memory is its input's */
} ln_plan_node;

/* Bands of a unit: row steps of the last layer's output, channel steps of the head's. */
typedef struct ln_band { size_t rows, channels; } ln_band;

typedef struct ln_unit {
    size_t  first, last;   /* plan nodes */
    bool    parts;         /* by parts, not by blocks */
    bool    per_block;     /* block after block; otherwise all of a chunk's blocks at once (shared weights) */
    ln_band forward, backward;
} ln_unit;

typedef enum ln_phase_kind {
    LN_PHASE_FILL,      /* images into the model's input */
    LN_PHASE_FORWARD,   /* all layers of a unit; the first pass of a head that meets, alone */
    LN_PHASE_BACKWARD,  /* input gradients of all but the head (its own, too, where it goes through), and its partial
                           parameter gradients, or the first pass of one that meets */
    LN_PHASE_DINPUT,    /* the head's input gradient */
    LN_PHASE_MEET_FORWARD, LN_PHASE_MEET_BACKWARD, /* once, between the two passes of LN_CROSS_BATCH */
    LN_PHASE_FORWARD_2,  /* the second pass, and the layers behind it */
    LN_PHASE_BACKWARD_2, /* the head's second pass */
    LN_PHASE_DPARAM,    /* LN_POLICY_BATCH: over the whole batch */
    LN_PHASE_REDUCE     /* LN_POLICY_BLOCK: partial sums to the gradient; LN_POLICY_MEET: only the watch over it */
} ln_phase_kind;

typedef struct ln_phase { ln_phase_kind kind; size_t unit; bool per_block; } ln_phase;

typedef struct ln_segment { size_t first, last; bool parts, meets; } ln_segment; /* phases [first, last); meets: a
                                                                                   barrier after each phase */

typedef struct ln_plan {
    ln_context     *context;
    ln_model       *model;
    ln_plan_options options;
    size_t element, n_blocks, chunk; /* chunk: blocks a thread takes at a time */
    int    n_threads;                /* at most the options'; fewer when the work is too small */
    size_t n_nodes, n_units, n_phases, n_segments, n_tensors;
    ln_plan_node *node;              /* the model's layers, then the loss when training */
    ln_unit      *unit;
    ln_phase     *phase;
    ln_segment   *segment;
    ln_slot    *value, *gradient;  /* [0] is the input's, [i + 1] node i's output's */
    size_t band_offset, scratch_offset, thread_bytes; /* per thread: chunk tensors, then bands, then scratch */
    size_t shared_offset, threads_offset, n_bytes; /* n_bytes: all of the arena */
    size_t rows_offset, label_offset, image_offset, live_offset, hit_offset, finite_offset;
    size_t squares_offset, n_squares; /* n_squares doubles for gradients, and as many for weights */
    char  *arena;
    double  weight;                  /* of an image's loss in the gradient of the batch that is loaded */
    double *seconds[2];              /* when set: thread 0's seconds in each node, forward and backward, are added, less
                                        the clock's own at every call */
    double  clock;
} ln_plan;

/* Can every layer train on n images at once? */
ln_status ln_plan_check_batch(const ln_model *model, size_t n, ln_error *error);
/* Plans and allocates. model must outlive the plan and not change shape. */
ln_status ln_plan_new(ln_model *model, const ln_plan_options *options, ln_plan **plan, ln_error *error);
void      ln_plan_free(ln_plan *plan);
/* What ln_plan_new would hold, in bytes, exactly. */
ln_status ln_plan_measure(ln_model *model, const ln_plan_options *options, size_t *n_bytes, int *n_threads,
                          ln_error *error);

/* Everything in the arena begins at a cache line. */
static inline size_t ln_plan_round(size_t n_bytes) { return (n_bytes + 63) & ~(size_t)63; }
/* Bytes of one value of a tensor: a lanes, or, planar, a real. */
static inline size_t ln_slot_unit(const ln_plan *p, const ln_slot *t) {
    return (t->planar ? 1 : LN_LANES) * p->element;
}

/* Rows [*lo, *hi) of node's output behind rows [a, b) of its unit's last layer; bands that cover the last layer's rows
 * cover node's rows, each once. */
void ln_unit_rows(const ln_plan *p, const ln_unit *u, size_t node, size_t a, size_t b, size_t *lo, size_t *hi);

/* Lanes of one block of a tensor, halo included. */
static inline size_t ln_slot_lanes(const ln_slot *t) {
    return t->shape.c * (t->shape.h + 2 * (size_t)t->halo.h) * (t->shape.w + 2 * (size_t)t->halo.w);
}

/* Where value i of a tensor in lanes lies, counted in reals: i goes image by image, c, h, w. */
static inline size_t ln_slot_place(const ln_slot *t, size_t i) {
    const ln_shape s = t->shape;
    const size_t each = ln_shape_count(s), image = i / each, c = i % each / (s.h * s.w), h = i / s.w % s.h, w = i % s.w;
    const size_t row = s.w + 2 * (size_t)t->halo.w, rows = s.h + 2 * (size_t)t->halo.h;
    const size_t lane =
        image / LN_LANES * ln_slot_lanes(t) + (c * rows + h + (size_t)t->halo.h) * row + w + (size_t)t->halo.w;
    return lane * LN_LANES + image % LN_LANES;
}

/* Sums of squares are taken by pieces of so many elements, and these added in their order: bits depend on no thread. */
enum { LN_SQUARES = 4096 };
static inline size_t ln_squares_of(const ln_param *param) { return (param->count + LN_SQUARES - 1) / LN_SQUARES; }

/* States that parameter k of a node has side by side, from n->states: none when it stays as it is. */
static inline size_t ln_plan_states(const ln_plan *p, const ln_plan_node *n) {
    return n->node->learning.frozen ? 0 : p->options.n_states + p->options.average;
}

/* Has its op any of these traits? */
static inline bool ln_plan_has(const ln_plan_node *n, unsigned traits) { return (n->node->op->traits & traits) != 0; }

/* Does it look at the whole batch before it gives anything out? */
static inline bool ln_plan_meets(const ln_plan *p, const ln_plan_node *n) {
    return p->options.training && ln_plan_has(n, LN_CROSS_BATCH);
}

/* Does the head pass the gradient on channel by channel, right after its dparam, while dout is at hand? */
static inline bool ln_plan_goes_through(const ln_plan_node *head) {
    return head->node->own_channels && head->policy == LN_POLICY_BLOCK && head->write[0] != LN_SKIP;
}

#endif
