/* The typed builder calls: each writes the layer's line, so that there is one grammar and one set of checks. */
#include "graph/graph.h"

#include <stdio.h>

static ln_layer append(ln_model *model, ln_layer input, const char *word, const char *rest) {
    if (model->error.status != LN_OK) return -1;
    ln_line line = {0};
    snprintf(line.word, sizeof line.word, "%s", word);
    snprintf(line.rest, sizeof line.rest, "%s", rest);
    if (input < -1 || input >= (ln_layer)model->n_nodes)
        snprintf(line.from, sizeof line.from, "%d", input); /* no such layer: the message says so */
    else if (input != (ln_layer)model->n_nodes - 1)
        snprintf(line.from, sizeof line.from, "%s", input < 0 ? "input" : model->node[input]->name);
    return ln_model_append(model, ln_op_find(word), &line, NULL);
}

ln_layer ln_model_input(const ln_model *model) {
    (void)model;
    return -1;
}

ln_layer ln_conv2d(ln_model *model, ln_layer input, ln_conv2d_args a) {
    const ln_size2 stride = {a.stride.h ? a.stride.h : 1, a.stride.w ? a.stride.w : 1};
    char           rest[200];
    snprintf(rest, sizeof rest, "%d kernel=%dx%d stride=%dx%d padding=%dx%d groups=%d bias=%s", a.out_channels,
             a.kernel.h, a.kernel.w, stride.h, stride.w, a.padding.h, a.padding.w, a.groups ? a.groups : 1,
             a.no_bias ? "false" : "true");
    return append(model, input, "conv2d", rest);
}

static ln_layer pool(ln_model *model, ln_layer input, const char *word, ln_pool2d_args a) {
    const ln_size2 stride = {a.stride.h ? a.stride.h : a.kernel.h, a.stride.w ? a.stride.w : a.kernel.w};
    char           rest[160];
    snprintf(rest, sizeof rest, "%dx%d stride=%dx%d padding=%dx%d", a.kernel.h, a.kernel.w, stride.h, stride.w,
             a.padding.h, a.padding.w);
    return append(model, input, word, rest);
}

ln_layer ln_maxpool2d(ln_model *model, ln_layer input, ln_pool2d_args args) {
    return pool(model, input, "maxpool2d", args);
}
ln_layer ln_avgpool2d(ln_model *model, ln_layer input, ln_pool2d_args args) {
    return pool(model, input, "avgpool2d", args);
}

ln_layer ln_linear(ln_model *model, ln_layer input, int out_features) {
    char rest[40];
    snprintf(rest, sizeof rest, "%d", out_features);
    return append(model, input, "linear", rest);
}

ln_layer ln_relu(ln_model *model, ln_layer input) { return append(model, input, "relu", ""); }
ln_layer ln_sigmoid(ln_model *model, ln_layer input) { return append(model, input, "sigmoid", ""); }
ln_layer ln_tanh(ln_model *model, ln_layer input) { return append(model, input, "tanh", ""); }
ln_layer ln_flatten(ln_model *model, ln_layer input) { return append(model, input, "flatten", ""); }

ln_layer ln_add(ln_model *model, ln_layer a, ln_layer b) {
    const bool known = b >= -1 && b < (ln_layer)model->n_nodes;
    char       rest[LN_NAME];
    snprintf(rest, sizeof rest, "%d", b);
    if (known) snprintf(rest, sizeof rest, "%s", b < 0 ? "input" : model->node[b]->name);
    return append(model, a, "add", rest);
}
