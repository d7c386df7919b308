/* Networks that nobody chose: any layer of the catalogue with any of its arguments, joined by sums and by concatenation
 * of channels, under any loss, trained by any optimizer. What a layer, loss or optimizer may be given is stated in
 * draw_choices, which a test holds against the catalogue. */
#ifndef LN_TESTS_DRAW_H
#define LN_TESTS_DRAW_H

#include "harness/net.h"
#include "harness/op_run.h"

enum { DRAW_VALUES = 8, DRAW_LINE = 200, DRAW_CELLS = 3000, DRAW_MACS = 100000 };

/* One argument of a layer ("*": of every layer that has it), loss or optimizer, and what may be written for it; "":
 * nothing. */
typedef struct draw_choice {
    const char *of, *key, *values[DRAW_VALUES];
} draw_choice;

static const draw_choice draw_choices[] = {
    {"conv2d", "out_channels", {"1", "3", "4", "8", "17", "=", "="}}, /* "=": the input's channels */
    {"conv2d", "kernel", {"1", "2", "3", "5", "3x2", "1x4"}},
    {"conv2d", "stride", {"", "", "2", "1x3", "2x1"}},
    {"conv2d", "padding", {"", "1", "1", "2x1", "0x2"}},
    {"conv2d", "dilation", {"", "", "2", "1x2", "3x1"}},
    {"conv2d", "groups", {"", "", "2", "4", "=", "="}},
    {"conv2d", "bias", {"", "false"}},
    {"maxpool2d", "kernel", {"1", "2", "2", "3", "2x3"}},
    {"maxpool2d", "stride", {"", "1", "2", "3x2"}},
    {"maxpool2d", "padding", {"", "", "1", "1x0"}},
    {"maxpool2d", "ceil_mode", {"", "true"}},
    {"maxpool2d", "dilation", {"", "", "2", "1x2"}},
    {"avgpool2d", "kernel", {"1", "2", "2", "3", "2x3"}},
    {"avgpool2d", "stride", {"", "1", "2", "3x2"}},
    {"avgpool2d", "padding", {"", "", "1", "1x0"}},
    {"avgpool2d", "ceil_mode", {"", "true"}},
    {"avgpool2d", "count_include_pad", {"", "false"}},
    {"adaptive_avgpool2d", "output", {"1", "2", "4x3", "3x5"}},
    {"upsample", "scale", {"", "2", "1x3", "3x1"}},
    {"linear", "out_features", {"1", "7", "16", "33"}},
    {"linear", "bias", {"", "false"}},
    {"leaky_relu", "negative_slope", {"", "0.3"}},
    {"elu", "alpha", {"", "0.5"}},
    {"gelu", "approximate", {"", "tanh"}},
    {"softplus", "beta", {"", "2"}},
    {"softplus", "threshold", {"", "1"}},
    {"hardtanh", "min_val", {"", "-0.5"}},
    {"hardtanh", "max_val", {"", "0.75"}},
    {"batchnorm1d", "eps", {"", "0.001"}},
    {"batchnorm1d", "momentum", {"", "0.5"}},
    {"batchnorm1d", "affine", {"", "false"}},
    {"batchnorm2d", "eps", {"", "0.001"}},
    {"batchnorm2d", "momentum", {"", "0.5"}},
    {"batchnorm2d", "affine", {"", "false"}},
    {"layernorm", "eps", {"", "0.001"}},
    {"layernorm", "elementwise_affine", {"", "false"}},
    {"layernorm", "bias", {"", "false"}},
    {"dropout", "p", {"", "0", "0.3", "0.9"}},
    {"dropout2d", "p", {"", "0", "0.3", "0.9"}},
    {"add", "with", {"@"}}, /* "@": an earlier layer */
    {"concat", "with", {"@"}},
    {"*", "init", {"", "", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal", "normal"}},
    {"*", "std", {"", "0.2"}},
    {"*", "bias_std", {"", "0.1"}},
    {"*", "lr_factor", {"", "", "0.5", "0"}},
    {"*", "frozen", {"", "", "", "true"}},
    {"cross_entropy", "reduction", {"", "sum"}},
    {"cross_entropy", "label_smoothing", {"", "0.1"}},
    {"cross_entropy", "weight", {"", "0.5,1,2.25"}},
    {"mse", "reduction", {"", "sum"}},
    {"half_squared", "reduction", {"", "sum"}},
    {"bce", "reduction", {"", "sum"}},
    {"bce_with_logits", "reduction", {"", "sum"}},
    {"bce_with_logits", "pos_weight", {"", "3", "0.5,1,3"}},
    {"nll", "reduction", {"", "sum"}},
    {"nll", "weight", {"", "0.5,1,2.25"}},
    {"multi_margin", "reduction", {"", "sum"}},
    {"multi_margin", "p", {"", "2"}},
    {"multi_margin", "margin", {"", "0.3"}},
    {"multi_margin", "weight", {"", "0.5,1,2.25"}},
    {"sgd", "lr", {"0.001", "0.01"}},
    {"sgd", "momentum", {"", "0.9"}},
    {"sgd", "dampening", {"", "0.25"}},
    {"sgd", "weight_decay", {"", "0.01"}},
    {"sgd", "nesterov", {"", "true"}},
    {"rmsprop", "lr", {"0.001", "0.01"}},
    {"rmsprop", "alpha", {"", "0.9"}},
    {"rmsprop", "eps", {"", "0.001"}},
    {"rmsprop", "weight_decay", {"", "0.01"}},
    {"rmsprop", "momentum", {"", "0.9"}},
    {"rmsprop", "centered", {"", "true"}},
    {"adam", "lr", {"", "0.01"}},
    {"adam", "beta1", {"", "0.8"}},
    {"adam", "beta2", {"", "0.9"}},
    {"adam", "eps", {"", "0.0001"}},
    {"adam", "weight_decay", {"", "0.01"}},
    {"adam", "amsgrad", {"", "true"}},
    {"adamw", "lr", {"", "0.01"}},
    {"adamw", "beta1", {"", "0.8"}},
    {"adamw", "beta2", {"", "0.9"}},
    {"adamw", "eps", {"", "0.0001"}},
    {"adamw", "weight_decay", {"", "0.1"}},
    {"adamw", "amsgrad", {"", "true"}},
};
enum { DRAW_CHOICES = sizeof draw_choices / sizeof *draw_choices };

/* NULL-terminated lines, how many images a step takes, and how they are learned from. */
typedef struct drawn {
    ln_shape    in;
    size_t      n, batch;
    char        text[NET_LINES][DRAW_LINE];
    const char *lines[NET_LINES];
    char        loss[DRAW_LINE], optimizer[DRAW_LINE];
    double      clip_norm, clip_value, l2, ema;
    bool        decay_weights_only;
} drawn;

static inline const char *draw_value(ln_random *r, const draw_choice *c) {
    size_t n = 0;
    while (n < DRAW_VALUES && c->values[n]) n++;
    return c->values[ln_random_below(r, n)];
}

static inline void draw_append(char *text, const char *key, const char *value) {
    const size_t n = strlen(text);
    if (value[0]) (void)snprintf(text + n, DRAW_LINE - n, " %s=%s", key, value);
}

/* A word and its own arguments; with and channels are what "@" and "=" stand for. */
static inline void draw_arguments(ln_random *r, const char *word, size_t with, size_t channels, char *text) {
    char number[16];
    (void)snprintf(text, DRAW_LINE, "%s", word);
    for (size_t i = 0; i < DRAW_CHOICES; i++) {
        if (strcmp(draw_choices[i].of, word) != 0) continue;
        const char *const value = draw_value(r, &draw_choices[i]);
        const bool        stands = value[0] == '@' || value[0] == '=';
        (void)snprintf(number, sizeof number, "%zu", value[0] == '@' ? with : channels);
        draw_append(text, draw_choices[i].key, stands ? number : value);
    }
}

/* The arguments of every layer with parameters; a deviation belongs to an init. */
static inline void draw_common(ln_random *r, unsigned traits, char *text) {
    bool init = false, normal = false;
    for (size_t i = 0; i < DRAW_CHOICES; i++) {
        const draw_choice *const c = &draw_choices[i];
        const bool               own = !strcmp(c->key, "lr_factor") || !strcmp(c->key, "frozen");
        if (strcmp(c->of, "*") != 0 || !(traits & (own ? LN_LEARNS : LN_DRAWS))) continue;
        const char *const value = draw_value(r, c);
        if (!strcmp(c->key, "init")) init = value[0] != '\0', normal = !strcmp(value, "normal");
        if ((!strcmp(c->key, "std") && !normal) || (!strcmp(c->key, "bias_std") && !init)) continue;
        draw_append(text, c->key, value);
    }
}

/* Is it small enough for a quick test? */
static inline bool draw_is_small(const ln_node *node) {
    return ln_shape_count(node->out) <= DRAW_CELLS && node->n_macs <= DRAW_MACS;
}

/* A line for inputs s and, where the layer has two, that of layer `with`; false where shapes refuse. */
static inline bool draw_line(ln_random *r, const ln_op *op, ln_shape s, size_t with, ln_shape other, char *text,
                             ln_shape *out) {
    ln_error error;
    ln_node  node;
    draw_arguments(r, op->name, with, s.c, text);
    if (!op_node(text, (ln_shape[2]){s, other}, &node, &error) || !draw_is_small(&node)) return false;
    *out = node.out;
    draw_common(r, op->traits, text);
    return true;
}

static inline const ln_op *draw_op(ln_random *r) {
    for (;;) {
        const ln_op *const op = ln_ops[ln_random_below(r, LN_OP_COUNT)];
        if (!(op->traits & LN_LOSS)) return op;
    }
}

/* Joins the branch that layer i - 1 is with layer i - 2, which nobody reads yet: by a sum where shapes are the same. */
static inline void draw_join(ln_random *r, const ln_shape *shape, size_t i, char *text, ln_shape *out) {
    const ln_shape     a = shape[i - 1], b = shape[i - 2];
    const bool         sums = a.c == b.c && ln_random_below(r, 2) == 0;
    const ln_op *const op = ln_op_find(sums ? "add" : "concat");
    while (!draw_line(r, op, a, i - 2, b, text, out)) {}
}

/* Draws line i; false where that fails. branches: it reads an earlier layer than the last one. */
static inline bool draw_layer(ln_random *r, const ln_shape *shape, size_t i, ln_shape in, char *text, ln_shape *out,
                              bool *branches) {
    const ln_op *const op = draw_op(r);
    const size_t       from = i > 1 && ln_random_below(r, 6) == 0 ? ln_random_below(r, i - 1) : i - 1;
    const size_t       with = i ? ln_random_below(r, i) : 0;
    if ((op->n_inputs == 2 && i == 0) ||
        !draw_line(r, op, i ? shape[from] : in, with, i ? shape[with] : in, text, out))
        return false;
    *branches = i > 0 && from != i - 1;
    if (!*branches) return true;
    const ln_shape last = shape[i - 1];
    const size_t   length = strlen(text);
    (void)snprintf(text + length, DRAW_LINE - length, " from %zu", from);
    return out->h == last.h && out->w == last.w && (out->c + last.c) * last.h * last.w <= DRAW_CELLS;
}

/* Any loss or optimizer, with arguments that go together. */
static inline void draw_learner(ln_random *r, ln_kind kind, char *text) {
    do draw_arguments(r, ln_catalogue_name(kind, ln_random_below(r, ln_catalogue_count(kind))), 0, 0, text);
    while (ln_catalogue_check(kind, text, NULL) != LN_OK);
}

/* value, once in three times. */
static inline double draw_or_none(ln_random *r, double value) { return ln_random_below(r, 3) == 0 ? value : 0; }

/* How the network is trained, and the layer that its loss wants behind the last one. */
static inline void draw_training(drawn *net, uint64_t seed) {
    ln_random r = ln_random_at(seed, LN_RANDOM_CHECK, 79, 0);
    draw_learner(&r, LN_KIND_LOSS, net->loss);
    draw_learner(&r, LN_KIND_OPTIMIZER, net->optimizer);
    net->clip_norm = draw_or_none(&r, 0.5);
    net->clip_value = draw_or_none(&r, 0.05);
    net->l2 = draw_or_none(&r, 0.1);
    net->ema = draw_or_none(&r, 0.75);
    net->decay_weights_only = ln_random_below(&r, 2) == 0;
    const bool shares = strncmp(net->loss, "bce", 3) == 0 && strchr(" ", net->loss[3]);
    if (shares) net->lines[net->n++] = "sigmoid";
    else if (strncmp(net->loss, "nll", 3) == 0) net->lines[net->n++] = "log_softmax";
}

/* behind: a convolution of so many channels comes first, so that no other layer reads the model's input; 0: none. */
static inline void draw_network(drawn *net, uint64_t seed, size_t behind) {
    ln_random r = ln_random_at(seed, LN_RANDOM_CHECK, 78, 0);
    ln_shape  shape[NET_LINES]; /* of the outputs; names are numbers */
    bool      branched = false;
    *net = (drawn){.in = {1 + ln_random_below(&r, 4), 3 + ln_random_below(&r, 10), 3 + ln_random_below(&r, 10)},
                   .batch = 2 + ln_random_below(&r, 40)};
    const size_t n = 3 + ln_random_below(&r, 12);
    size_t       i = 0;
    if (behind) {
        (void)snprintf(net->text[i], DRAW_LINE, "conv2d %zu kernel=1", behind);
        shape[i++] = (ln_shape){behind, net->in.h, net->in.w};
    }
    while (i < n || branched) {
        if (branched) {
            draw_join(&r, shape, i, net->text[i], &shape[i]);
            branched = false;
        } else if (!draw_layer(&r, shape, i, net->in, net->text[i], &shape[i], &branched)) {
            branched = false;
            continue;
        }
        i++;
    }
    (void)snprintf(net->text[i], DRAW_LINE, "flatten");
    (void)snprintf(net->text[i + 1], DRAW_LINE, "linear 3");
    net->n = i + 2;
    for (i = 0; i < net->n; i++) net->lines[i] = net->text[i];
    draw_training(net, seed);
}

#endif
