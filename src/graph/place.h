/* The second half of planning: a place in memory for every tensor, parameter and saved value. */
#ifndef LN_GRAPH_PLACE_H
#define LN_GRAPH_PLACE_H

#include "graph/plan.h"

/* How many layers read a tensor. */
size_t ln_plan_consumers(const ln_plan *p, size_t tensor);
/* Bytes of a layer's parameters, as floats. */
size_t ln_plan_weight_bytes(const ln_plan_node *n);

/* Shares, places and offsets of all that the phases use; bands; the arena's size. */
ln_status ln_plan_place(ln_plan *p, ln_error *error);

#endif
