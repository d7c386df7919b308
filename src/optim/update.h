/* The loop of every optimizer: elements [lo, hi) by vectors, the last few through copies, gradients corrected first.
 *
 * An optimizer writes what happens to one vector (an ln_step_one) and calls update_each with it. Whatever a vector's
 * neighbours are, its bits are the same, so any split of [lo, hi) and any vector width give the same result.
 *
 *   g ← g·scale, then held within ±limit, then g + l2·p (rounded once)      only where the update has a correction
 * Sources: torch.nn.utils.clip_grad_norm_ (scale), clip_grad_value_ (limit). */
#ifndef LN_OPTIM_UPDATE_H
#define LN_OPTIM_UPDATE_H

#include "kernel/kernel.h"
#include "optim/optim.h"

#include <string.h>

/* A vector of parameters, of their gradients, and of each state: read, changed (but the gradient), written back. */
typedef struct vectors {
    vec p, g, state[LN_MAX_OPTIM_STATES];
} vectors;

/* by: the optimizer's constants of this step. */
typedef void ln_step_one(const void *by, vectors *x);

/* The weight decay that holds for these parameters. */
static inline double update_decay(const ln_update *u, double weight_decay) { return u->spared ? 0 : weight_decay; }

typedef struct correct_by {
    vec scale, low, high, l2;
} correct_by;

/* NaN stays NaN: v_max and v_min give their second operand where one is. */
LN_INLINE vec update_correct(const correct_by *by, vec g, vec p) {
    g = v_min(by->high, v_max(by->low, v_mul(g, by->scale)));
    return v_fma(by->l2, p, g);
}

typedef struct arrays {
    real       *p, *state[LN_MAX_OPTIM_STATES];
    const real *g;
} arrays;

LN_INLINE void update_one(const arrays *at, size_t i, size_t n_states, ln_step_one *one, const void *by,
                          const correct_by *correct) {
    vectors x = {.p = v_load(at->p + i), .g = v_load(at->g + i)};
    LN_UNROLL for (size_t j = 0; j < n_states; j++) x.state[j] = v_load(at->state[j] + i);
    if (correct) x.g = update_correct(correct, x.g, x.p);
    one(by, &x);
    LN_UNROLL for (size_t j = 0; j < n_states; j++) v_store(at->state[j] + i, x.state[j]);
    v_store(at->p + i, x.p);
}

/* The last n elements, fewer than a vector. */
LN_INLINE void update_few(const arrays *at, size_t i, size_t n, size_t n_states, ln_step_one *one, const void *by,
                          const correct_by *correct) {
    real   p[LN_WIDTH] = {0}, g[LN_WIDTH] = {0}, state[LN_MAX_OPTIM_STATES][LN_WIDTH] = {{0}};
    arrays copy = {.p = p, .g = g};
    memcpy(p, at->p + i, n * sizeof(real));
    memcpy(g, at->g + i, n * sizeof(real));
    for (size_t j = 0; j < n_states; j++) copy.state[j] = memcpy(state[j], at->state[j] + i, n * sizeof(real));
    update_one(&copy, 0, n_states, one, by, correct);
    memcpy(at->p + i, p, n * sizeof(real));
    for (size_t j = 0; j < n_states; j++) memcpy(at->state[j] + i, state[j], n * sizeof(real));
}

LN_INLINE void update_range(const ln_update *u, size_t n_states, ln_step_one *one, const void *by,
                            const correct_by *correct) {
    arrays at = {.p = u->param, .g = u->gradient};
    LN_UNROLL for (size_t j = 0; j < n_states; j++) at.state[j] = u->state[j];
    size_t i = u->lo;
    for (; i + LN_WIDTH <= u->hi; i += LN_WIDTH) update_one(&at, i, n_states, one, by, correct);
    if (i < u->hi) update_few(&at, i, u->hi - i, n_states, one, by, correct);
}

/* n_states and one are constants of the call, so that each call is a loop of its own. */
LN_INLINE void update_each(const ln_update *u, size_t n_states, ln_step_one *one, const void *by) {
    const ln_correction *const c = u->correction;
    if (!c) {
        update_range(u, n_states, one, by, NULL);
        return;
    }
    const real       limit = c->limit > 0 ? (real)c->limit : (real)__builtin_inf();
    const correct_by correct = {v_splat((real)c->scale), v_splat(-limit), v_splat(limit), v_splat((real)c->l2)};
    update_range(u, n_states, one, by, &correct);
}

#endif
