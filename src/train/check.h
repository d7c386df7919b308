/* How much of a model a check looks at. A probe is one forward pass of a block of LN_LANES images in double precision,
 * however few of them are alive, so what a check costs is that many of the model's multiply-accumulates a probe. */
#ifndef LN_TRAIN_CHECK_H
#define LN_TRAIN_CHECK_H

#include "graph/graph.h"

typedef struct ln_check_scope {
    size_t images;    /* fewer in a large network, where among many values hardly a step is without a kink */
    size_t entries;   /* of each tensor; 0: directions alone */
    size_t n_tensors; /* of the model: learned parameters, and the input */
    size_t n_probed;  /* of these; where fewer, they are spread over the model, and a direction goes through all */
} ln_check_scope;

ln_check_scope ln_check_scope_of(const ln_model *model);
/* Which tensor the i-th one probed is: of as many equal parts of the model, each has its largest probed. */
size_t ln_check_chosen(const ln_model *model, const ln_check_scope *scope, size_t i);

#endif
