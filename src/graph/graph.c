/* Building a model: every layer line is parsed, checked and given its shapes as it is added. */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

const char *const ln_init_words[] = {
    "pytorch", "kaiming_uniform", "kaiming_normal", "xavier_uniform", "xavier_normal", "normal", NULL};

const char *const ln_init_help[] = {"weights and biases uniform in +-1/sqrt(fan_in)",
                                    "weights uniform in +-sqrt(6/fan_in)",
                                    "weights normal with deviation sqrt(2/fan_in)",
                                    "weights uniform in +-sqrt(6/(fan_in + fan_out))",
                                    "weights normal with deviation sqrt(2/(fan_in + fan_out))",
                                    "weights normal with deviation std",
                                    NULL};

/* What a layer with parameters accepts beside its own arguments. */
typedef struct layer_options {
    ln_init     init; /* first: init_attrs reads it alone */
    ln_learning learning;
} layer_options;

#define INIT_ROWS                                                                                     \
    {.key = "init",                                                                                   \
     .type = LN_ATTR_CHOICE,                                                                          \
     .offset = offsetof(ln_init, kind),                                                               \
     .positional = true,                                                                              \
     .choices = ln_init_words,                                                                        \
     .help = "how the parameters are drawn; a layer without it takes the model's init"},              \
        {.key = "std",                                                                                \
         .type = LN_ATTR_FLOAT,                                                                       \
         .offset = offsetof(ln_init, std),                                                            \
         .preset = 0.01,                                                                              \
         .high = 1e6,                                                                                 \
         .help = "deviation of the weights, for init=normal"},                                        \
    {                                                                                                 \
        .key = "bias_std", .type = LN_ATTR_FLOAT, .offset = offsetof(ln_init, bias_std), .high = 1e6, \
        .help = "deviation of the biases (0: zeros), for any init but pytorch"                        \
    }
enum { INIT_ROW_COUNT = 3 };

static const ln_attr init_attrs[] = {INIT_ROWS, {0}}; /* the model-wide `init:` line */
static const ln_attr layer_attrs[] = {INIT_ROWS,
                                      {.key = "lr_factor",
                                       .type = LN_ATTR_FLOAT,
                                       .offset = offsetof(layer_options, learning.lr_factor),
                                       .preset = 1,
                                       .high = 1e6,
                                       .help = "the learning rate is multiplied by this"},
                                      {.key = "frozen",
                                       .type = LN_ATTR_BOOL,
                                       .offset = offsetof(layer_options, learning.frozen),
                                       .help = "its parameters stay as they are"},
                                      {0}};

const ln_attr *ln_init_attrs(int kind) {
    const size_t first = kind == LN_INIT_NORMAL ? 1 : kind == LN_INIT_PYTORCH ? INIT_ROW_COUNT : 2;
    return init_attrs + first;
}

const ln_attr *ln_layer_attrs(const ln_op *op) {
    const size_t end = sizeof layer_attrs / sizeof *layer_attrs - 1;
    return layer_attrs + (op->traits & LN_DRAWS ? 0 : op->traits & LN_LEARNS ? INIT_ROW_COUNT : end);
}

/* Of a line: a deviation that its kind does not draw by would be read and forgotten. */
static ln_status check_init(const char *owner, const ln_init *init, ln_error *error) {
    ln_init preset;
    ln_attr_defaults(init_attrs, &preset, sizeof preset);
    const char *const word = ln_init_words[init->kind];
    if (init->kind != LN_INIT_NORMAL && init->std != preset.std)
        return ln_fail(error, LN_E_ARGUMENT,
                       "%s: std=%g is for init normal, and %s finds its own deviation; leave std out, or write normal",
                       owner, init->std, word);
    if (init->kind == LN_INIT_PYTORCH && init->bias_std != preset.bias_std)
        return ln_fail(
            error, LN_E_ARGUMENT,
            "%s: bias_std=%g is not for init %s, which draws biases as it draws weights; leave bias_std out, "
            "or write another init",
            owner, init->bias_std, word);
    return LN_OK;
}

ln_model *ln_model_new(ln_context *context, size_t c, size_t h, size_t w, ln_error *error) {
    size_t area, count;
    if (c == 0 || h == 0 || w == 0 || !ln_multiply(h, w, &area) || !ln_multiply(area, c, &count) ||
        count > (size_t)1 << 28) {
        ln_fail(error, LN_E_ARGUMENT, "model: an input of %zux%zux%zu is outside 1 to 2^28 values; give c, h and w", c,
                h, w);
        return NULL;
    }
    ln_model *const model = ln_allocate_zeroed(context, sizeof *model);
    if (!model) {
        ln_fail_memory(error, "model", sizeof *model);
        return NULL;
    }
    model->context = context;
    model->input = (ln_shape){c, h, w};
    model->values_left = SIZE_MAX;
    model->preprocess = (ln_preprocess){.scale = 1.0 / 255.0, .mean = 0, .std = 1};
    ln_attr_defaults(init_attrs, &model->init, sizeof model->init);
    return model;
}

void ln_model_free(ln_model *model) {
    if (!model) return;
    ln_context *const context = model->context;
    for (size_t i = 0; i < model->n_nodes; i++) {
        for (size_t k = 0; k < LN_MAX_TENSORS; k++) ln_release(context, model->values[i][k]);
        ln_release(context, model->node[i]);
    }
    ln_release(context, model->node);
    ln_release(context, model->values);
    ln_release(context, model->line);
    ln_release(context, model->class_name);
    ln_release(context, model);
}

ln_shape ln_model_shape(const ln_model *model, int node) { return node < 0 ? model->input : model->node[node]->out; }

/* The first error stays; later calls report it again. */
static ln_layer fail(ln_model *model, const ln_error *found, ln_error *error) {
    if (model->error.status == LN_OK) model->error = *found;
    if (error) *error = model->error;
    return -1;
}

ln_status ln_model_status(const ln_model *model, ln_error *error) {
    if (error && model->error.status != LN_OK) *error = model->error;
    return model->error.status;
}

static bool grow(ln_model *model, ln_error *error) {
    if (model->n_nodes < model->capacity) return true;
    const size_t capacity = model->capacity ? 2 * model->capacity : 16;
    void *const  node = ln_reallocate(model->context, model->node, capacity * sizeof *model->node);
    if (node) model->node = node;
    void *const values = node ? ln_reallocate(model->context, model->values, capacity * sizeof *model->values) : NULL;
    if (values) model->values = values;
    void *const line = values ? ln_reallocate(model->context, model->line, capacity * sizeof *model->line) : NULL;
    if (!line) {
        ln_fail_memory(error, "model", capacity * sizeof *model->line);
        return false;
    }
    model->line = line;
    model->capacity = capacity;
    return true;
}

/* Node index of a layer's name, -1 for "input", -2 for none. */
static int find_name(const ln_model *model, const char *name) {
    if (strcmp(name, "input") == 0) return -1;
    for (size_t i = 0; i < model->n_nodes; i++)
        if (strcmp(model->node[i]->name, name) == 0) return (int)i;
    return -2;
}

static ln_status find_input(const ln_model *model, const ln_node *node, const char *name, int *input, ln_error *error) {
    *input = find_name(model, name);
    if (*input >= -1) return LN_OK;
    const char *words[64] = {"input"};
    size_t      n = 1;
    for (size_t i = 0; i < model->n_nodes && n < 64; i++) words[n++] = model->node[i]->name;
    const char *const near = ln_nearest(name, words, n);
    return ln_fail_node(error, LN_E_ARGUMENT, node,
                        "no layer before it is called '%s'%s%s%s; name one with 'as NAME', or use its number", name,
                        near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

/* A layer without a name has its number, which no other may take. */
static ln_status set_name(const ln_model *model, ln_node *node, const char *as, ln_error *error) {
    if (!as[0]) return LN_OK;
    if (as[strspn(as, "0123456789")] == '\0')
        return ln_fail_node(error, LN_E_ARGUMENT, node,
                            "the name '%s' is a number, and numbers are the names of layers without 'as'; write a name "
                            "with a letter in it",
                            as);
    if (find_name(model, as) != -2)
        return ln_fail_node(error, LN_E_ARGUMENT, node, "the name '%s' is already taken; choose another one after 'as'",
                            as);
    snprintf(node->name, sizeof node->name, "%s", as);
    return LN_OK;
}

/* input[0] from `from` or the last layer, input[1] from the op's NAME argument. */
static ln_status set_inputs(const ln_model *model, ln_node *node, const char *from, ln_error *error) {
    node->n_inputs = node->op->n_inputs;
    node->input[0] = (int)model->n_nodes - 1;
    if (from[0]) {
        const ln_status status = find_input(model, node, from, &node->input[0], error);
        if (status != LN_OK) return status;
    }
    if (node->n_inputs == 2)
        for (const ln_attr *a = node->op->attrs; a->key; a++)
            if (a->type == LN_ATTR_NAME) {
                const ln_status status =
                    find_input(model, node, (const char *)node->args + a->offset, &node->input[1], error);
                if (status != LN_OK) return status;
            }
    for (size_t i = 0; i < node->n_inputs; i++) node->in[i] = ln_model_shape(model, node->input[i]);
    return LN_OK;
}

static ln_status parse(const ln_model *model, ln_node *node, const ln_line *line, ln_error *error) {
    char owner[LN_NAME + 40];
    snprintf(owner, sizeof owner, "layer %s (%s)", line->as[0] ? line->as : node->name, node->op->name);
    layer_options   options;
    const ln_status status = ln_attr_parse(line->rest, owner, node->op->attrs, node->args, node->op->args_size,
                                           ln_layer_attrs(node->op), &options, sizeof options, error);
    if (status != LN_OK) return status;
    if (!(node->op->traits & LN_LEARNS)) ln_attr_defaults(layer_attrs, &options, sizeof options);
    const bool draws = node->op->traits & LN_DRAWS, own = draws && strstr(line->rest, "init=");
    if (draws && !own && strstr(line->rest, "std="))
        return ln_fail_node(error, LN_E_ARGUMENT, node,
                            "std and bias_std belong to an init; write init=normal before them");
    node->init = own ? options.init : model->init;
    node->learning = options.learning;
    return own ? check_init(owner, &options.init, error) : LN_OK;
}

static ln_status allocate_values(ln_model *model, ln_node *node, float *values[LN_MAX_TENSORS], ln_error *error) {
    for (size_t k = 0; k < ln_node_tensors(node); k++) {
        ln_param *const p = &node->param[k];
        snprintf(p->full_name, sizeof p->full_name, "%s.%s", node->name, p->name);
        const size_t n_bytes = p->count * sizeof(float);
        if (p->count > model->values_left)
            return ln_fail_node(error, LN_E_FORMAT, node, "its %zu values of '%s' are more than the file holds",
                                p->count, p->name);
        model->values_left -= p->count;
        values[k] = ln_allocate_zeroed(model->context, n_bytes);
        if (!values[k]) return ln_fail_memory(error, "parameters", n_bytes);
    }
    return LN_OK;
}

/* The line as it is kept: arguments that differ from their default, the layer's own init if it has one. */
static void print_line(const ln_model *model, const ln_node *node, const ln_line *line, char text[LN_MAX_LINE]) {
    size_t n = (size_t)snprintf(text, LN_MAX_LINE, "%s", node->op->name);
    n += ln_attr_print(node->op->attrs, node->args, text + n, LN_MAX_LINE - n);
    if (node->op->traits & LN_DRAWS && n < LN_MAX_LINE) {
        n += (size_t)snprintf(text + n, LN_MAX_LINE - n, " init=%s", ln_init_words[node->init.kind]);
        if (n < LN_MAX_LINE) n += ln_attr_print(ln_init_attrs(node->init.kind), &node->init, text + n, LN_MAX_LINE - n);
    }
    if (node->op->traits & LN_LEARNS && n < LN_MAX_LINE) {
        const layer_options options = {.learning = node->learning};
        n += ln_attr_print(layer_attrs + INIT_ROW_COUNT, &options, text + n, LN_MAX_LINE - n);
    }
    if (line->from[0] && n < LN_MAX_LINE)
        n += (size_t)snprintf(text + n, LN_MAX_LINE - n, " from %s",
                              node->input[0] < 0 ? "input" : model->node[node->input[0]]->name);
    if (line->as[0] && n < LN_MAX_LINE) snprintf(text + n, LN_MAX_LINE - n, " as %s", node->name);
}

ln_layer ln_model_append(ln_model *model, const ln_op *op, const ln_line *line, ln_error *error) {
    ln_error found = {0};
    if (model->error.status != LN_OK) return fail(model, &model->error, error);
    if (model->n_nodes == LN_MAX_NODES) {
        ln_fail(&found, LN_E_UNSUPPORTED, "layer %d (%s): a model has at most %d layers; leave some out", LN_MAX_NODES,
                op->name, LN_MAX_NODES);
        return fail(model, &found, error);
    }
    ln_node *const node = ln_allocate_zeroed(model->context, sizeof *node);
    float         *values[LN_MAX_TENSORS] = {0};
    if (!node) {
        ln_fail_memory(&found, "layer", sizeof *node);
        return fail(model, &found, error);
    }
    node->op = op;
    node->index = model->n_nodes;
    snprintf(node->name, sizeof node->name, "%zu", node->index);
    if (grow(model, &found) && parse(model, node, line, &found) == LN_OK &&
        set_name(model, node, line->as, &found) == LN_OK && set_inputs(model, node, line->from, &found) == LN_OK &&
        op->infer(node, &found) == LN_OK && allocate_values(model, node, values, &found) == LN_OK) {
        print_line(model, node, line, model->line[node->index]);
        memcpy(model->values[node->index], values, sizeof values);
        model->node[node->index] = node;
        return (ln_layer)model->n_nodes++;
    }
    for (size_t k = 0; k < LN_MAX_TENSORS; k++) ln_release(model->context, values[k]);
    ln_release(model->context, node);
    return fail(model, &found, error);
}

ln_layer ln_model_add(ln_model *model, const char *text, ln_error *error) {
    ln_error     found = {0};
    ln_line      line;
    const ln_op *op = NULL;
    if (ln_line_split(text, "layer", &line, &found) == LN_OK) op = ln_op_named(line.word, false, &found);
    return op ? ln_model_append(model, op, &line, error) : fail(model, &found, error);
}

ln_status ln_init_parse(const char *text, ln_init *init, ln_error *error) {
    const ln_status status = ln_attr_parse(text, "init", init_attrs, init, sizeof *init, NULL, NULL, 0, error);
    return status == LN_OK ? check_init("init", init, error) : status;
}

ln_status ln_model_add_init(ln_model *model, const char *text, ln_error *error) {
    ln_init         init;
    const ln_status status = ln_init_parse(text, &init, error);
    if (status == LN_OK) model->init = init;
    return status;
}

void ln_model_set_init(ln_model *model, ln_init init) {
    ln_error found = {0};
    if (ln_attr_check("init", init_attrs, &init, &found) == LN_OK) model->init = init;
    else fail(model, &found, NULL);
}

/* Makes loss the model's, behind its last layer. */
static ln_status attach_loss(ln_model *model, ln_node loss, ln_error *error) {
    loss.index = model->n_nodes;
    loss.input[0] = (int)model->n_nodes - 1;
    loss.in[0] = model->node[model->n_nodes - 1]->out;
    const ln_status status = loss.op->infer(&loss, error);
    if (status == LN_OK) model->loss = loss;
    return status;
}

ln_status ln_model_set_loss(ln_model *model, const char *text, ln_error *error) {
    ln_line         line;
    const ln_status status = ln_line_split(text, "loss", &line, error);
    if (status != LN_OK) return status;
    if (line.from[0] || line.as[0])
        return ln_fail(error, LN_E_ARGUMENT, "loss %s: takes neither 'from' nor 'as'", line.word);
    if (model->n_nodes == 0) return ln_fail(error, LN_E_ARGUMENT, "loss: the model has no layer yet; add layers first");
    ln_node loss = {.op = ln_op_named(line.word, true, error), .n_inputs = 1};
    if (!loss.op) return LN_E_ARGUMENT;
    snprintf(loss.name, sizeof loss.name, "loss");
    const ln_status parsed =
        ln_attr_parse(line.rest, line.word, loss.op->attrs, loss.args, loss.op->args_size, NULL, NULL, 0, error);
    return parsed == LN_OK ? attach_loss(model, loss, error) : parsed;
}

/* A layer that nobody reads would never get a gradient. */
static ln_status check_readers(const ln_model *model, ln_error *error) {
    for (size_t i = 0; i + 1 < model->n_nodes; i++) {
        bool read = false;
        for (size_t k = i + 1; k < model->n_nodes && !read; k++)
            for (size_t j = 0; j < model->node[k]->n_inputs; j++) read |= model->node[k]->input[j] == (int)i;
        if (!read)
            return ln_fail_node(error, LN_E_ARGUMENT, model->node[i],
                                "no layer reads its output; leave it out, or read it by 'from %s' or 'add %s'",
                                model->node[i]->name, model->node[i]->name);
    }
    return LN_OK;
}

ln_status ln_model_finish(ln_model *model, ln_error *error) {
    if (model->error.status != LN_OK) return ln_model_status(model, error);
    if (model->n_nodes == 0) return ln_fail(error, LN_E_ARGUMENT, "model: has no layers; add some before using it");
    const ln_status read = check_readers(model, error);
    if (read != LN_OK) return read;
    if (!model->loss.op) return ln_model_set_loss(model, "cross_entropy", error);
    return model->loss.index == model->n_nodes ? LN_OK
                                               : attach_loss(model, model->loss, error); /* layers came after it */
}

/* ------------------------------------------------------------ what it holds */

size_t ln_model_layer_count(const ln_model *model) { return model->n_nodes; }

ln_layer_info ln_model_layer(const ln_model *model, size_t i) {
    const ln_node *const node = model->node[i];
    ln_layer_info        info = {.name = node->name,
                                 .op = node->op->name,
                                 .line = model->line[i],
                                 .c = node->out.c,
                                 .h = node->out.h,
                                 .w = node->out.w,
                                 .n_macs = node->n_macs};
    for (size_t k = 0; k < node->n_params; k++) info.n_parameters += node->param[k].count;
    return info;
}

void ln_model_input_shape(const ln_model *model, size_t *c, size_t *h, size_t *w) {
    *c = model->input.c;
    *h = model->input.h;
    *w = model->input.w;
}

size_t ln_model_outputs(const ln_model *model) {
    return model->n_nodes ? ln_shape_count(model->node[model->n_nodes - 1]->out) : 0;
}

size_t ln_model_class_count(const ln_model *model) {
    const ln_node *const loss = &model->loss;
    return loss->op && loss->op->classes ? loss->op->classes(loss) : ln_model_outputs(model);
}

size_t ln_model_parameter_count(const ln_model *model) {
    size_t n = 0;
    for (size_t i = 0; i < model->n_nodes; i++) n += ln_node_tensors(model->node[i]);
    return n;
}

ln_parameter ln_model_parameter(const ln_model *model, size_t index) {
    ln_parameter out = {0};
    for (size_t i = 0; i < model->n_nodes; i++) {
        const ln_node *const node = model->node[i];
        if (index >= ln_node_tensors(node)) {
            index -= ln_node_tensors(node);
            continue;
        }
        const ln_param *const p = &node->param[index];
        out = (ln_parameter){.name = p->full_name,
                             .rank = p->rank,
                             .count = p->count,
                             .values = model->values[i][index],
                             .learned = index < node->n_params};
        memcpy(out.shape, p->dims, sizeof out.shape);
        break;
    }
    return out;
}

ln_status ln_model_set_preprocess(ln_model *model, ln_preprocess p, ln_error *error) {
    const bool fine = p.scale > 0 && p.scale <= 1e30 && p.std > 0 && p.std <= 1e30 && p.mean >= -1e30 && p.mean <= 1e30;
    if (!fine)
        return ln_fail(error, LN_E_ARGUMENT,
                       "preprocess: scale %g, mean %g and std %g, but scale and std must be above 0, and all three "
                       "between -1e30 and 1e30",
                       p.scale, p.mean, p.std);
    model->preprocess = p;
    return LN_OK;
}

ln_status ln_model_set_reading(ln_model *model, ln_reading r, ln_error *error) {
    if ((r.h == 0) != (r.w == 0))
        return ln_fail(error, LN_E_ARGUMENT, "reading: resize to %zux%zu, but both sides must be at least 1, or both 0",
                       r.h, r.w);
    model->reading = r;
    return LN_OK;
}

ln_reading ln_model_reading(const ln_model *model) { return model->reading; }

ln_status ln_model_set_classes(ln_model *model, const char *const *names, size_t n, ln_error *error) {
    size_t n_bytes = n * sizeof(char *);
    for (size_t i = 0; i < n; i++) {
        const size_t length = strlen(names[i]);
        bool         plain = length >= 1 && length <= 255;
        for (size_t k = 0; k < length; k++) plain = plain && (unsigned char)names[i][k] >= ' ' && names[i][k] != 0x7f;
        if (!plain)
            return ln_fail(error, LN_E_ARGUMENT,
                           "classes: name %zu is not 1 to 255 bytes of plain text; choose another one", i);
        n_bytes += length + 1;
    }
    char **const copy = ln_allocate(model->context, n_bytes);
    if (!copy) return ln_fail_memory(error, "classes", n_bytes);
    char *text = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        copy[i] = strcpy(text, names[i]);
        text += strlen(names[i]) + 1;
    }
    ln_release(model->context, model->class_name);
    model->class_name = copy;
    model->n_classes = n;
    return LN_OK;
}

const char *ln_model_class(const ln_model *model, size_t i) {
    return i < model->n_classes ? model->class_name[i] : NULL;
}

ln_preprocess ln_model_preprocess(const ln_model *model) { return model->preprocess; }
