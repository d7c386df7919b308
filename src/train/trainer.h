/* A training under way: what its steps, its measuring and its checkpoints share. */
#ifndef LN_TRAIN_TRAINER_H
#define LN_TRAIN_TRAINER_H

#include "train/monitor.h"
#include "train/predict.h"

/* What measuring needs beside the trainer. */
typedef struct ln_gauge {
    ln_evaluator evaluator;
    ln_metrics   best;          /* of the validation images */
    float       *outputs;       /* of a block of images */
    double       first_squares; /* of the weights before training */
    double       first_spread;  /* of the outputs at the first step; below 0: a step has but one image */
    double       spread;        /* likewise, at the last step of an epoch */
    size_t       n_frequent;    /* training images of the most frequent class */
    size_t       n_guessed;     /* hits that naming no other class has, by luck two deviations more */
    bool         measured;      /* an epoch was */
    bool         weighed;       /* its hits were, beside n_guessed */
    bool         stalled;       /* that was said */
} ln_gauge;

typedef struct ln_keeper ln_keeper; /* train/checkpoint.c */

/* Whatever of this is no function of model, data, options and step must be in checkpoint.c's list of fields. */
struct ln_trainer {
    ln_model        *model;
    const ln_data   *data;
    ln_train_options options;
    ln_plan         *plan;
    ln_batch_room    room;
    ln_augment       augment;
    uint32_t        *order;      /* of this epoch */
    size_t           n, n_steps; /* images; steps an epoch */
    uint64_t         step;       /* steps done, over all epochs */
    ln_optimizer_id  optimizer;
    ln_pace          pace;
    double           base, lr;  /* the optimizer's rate, and that of the last step */
    ln_metrics       epoch;     /* of its training images so far; only for a pace that watches */
    ln_metrics       measured;  /* of the validation images after it; n 0: not measured */
    bool             validates; /* somebody measures them: ln_train */
    ln_monitor       monitor;
    float           *best; /* restore_best: the parameters of the best row, or NULL */
    bool             has_best;
    ln_gauge         gauge;  /* of ln_train, and so is the rest */
    ln_progress      now;    /* what was last told */
    ln_keeper       *keeper; /* of checkpoints; NULL: none are written */
    _Alignas(16) unsigned char optimizer_args[LN_MAX_OPTIM_ARGS];
};

/* Draws the order of the images of an epoch (from 0). */
void ln_trainer_begin_epoch(ln_trainer *trainer, uint64_t epoch);

#endif
