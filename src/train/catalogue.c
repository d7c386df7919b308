/* Layers, losses, optimizers, schedules, inits, augmentations and drawn data sets with their arguments, for help texts
 * and checks. */
#include "data/augment.h"
#include "data/generate.h"
#include "graph/graph.h"
#include "optim/optim.h"

/* One word of any kind. */
typedef struct entry {
    const char    *name, *help;
    const ln_attr *attrs, *more; /* its own arguments, and those that its kind takes beside them */
} entry;

static bool is_loss(size_t i) { return (ln_ops[i]->traits & LN_LOSS) != 0; }

/* The i-th op that is a loss, or that is none; LN_OP_COUNT when there are fewer. */
static size_t nth_op(bool loss, size_t i) {
    for (size_t k = 0; k < LN_OP_COUNT; k++)
        if (is_loss(k) == loss && i-- == 0) return k;
    return LN_OP_COUNT;
}

static bool find(ln_kind kind, size_t i, entry *e) {
    static const ln_attr none[] = {{0}};
    const size_t         op = nth_op(kind == LN_KIND_LOSS, i);
    switch (kind) {
    case LN_KIND_LAYER:
    case LN_KIND_LOSS:
        if (op == LN_OP_COUNT) return false;
        *e = (entry){ln_ops[op]->name, ln_ops[op]->help, ln_ops[op]->attrs, ln_layer_attrs(ln_ops[op])};
        return true;
    case LN_KIND_OPTIMIZER:
        if (i >= LN_OPTIMIZER_COUNT) return false;
        *e = (entry){ln_optimizers[i]->name, ln_optimizers[i]->help, ln_optimizers[i]->attrs, none};
        return true;
    case LN_KIND_SCHEDULE:
        if (i >= LN_SCHEDULE_COUNT) return false;
        *e = (entry){ln_schedules[i]->name, ln_schedules[i]->help, ln_schedules[i]->attrs, ln_warmup_attrs};
        return true;
    case LN_KIND_INIT:
        if (i > LN_INIT_NORMAL) return false;
        *e = (entry){ln_init_words[i], ln_init_help[i], ln_init_attrs((int)i), none};
        return true;
    case LN_KIND_AUGMENTATION:
        if (i >= LN_AUGMENTATION_COUNT) return false;
        *e = (entry){ln_augmentations[i]->name, ln_augmentations[i]->help, ln_augmentations[i]->attrs, none};
        return true;
    case LN_KIND_DATA:
        if (i >= LN_GENERATOR_COUNT) return false;
        *e = (entry){ln_generators[i]->name, ln_generators[i]->help, ln_generators[i]->attrs, ln_generator_attrs};
        return true;
    }
    return false;
}

size_t ln_catalogue_count(ln_kind kind) {
    entry  e;
    size_t n = 0;
    while (find(kind, n, &e)) n++;
    return n;
}

const char *ln_catalogue_name(ln_kind kind, size_t i) {
    entry e;
    return find(kind, i, &e) ? e.name : NULL;
}

const char *ln_catalogue_help(ln_kind kind, size_t i) {
    entry e;
    return find(kind, i, &e) ? e.help : NULL;
}

static size_t row_count(const ln_attr *table) {
    size_t n = 0;
    while (table[n].key) n++;
    return n;
}

size_t ln_catalogue_argument_count(ln_kind kind, size_t i) {
    entry e;
    return find(kind, i, &e) ? row_count(e.attrs) + row_count(e.more) : 0;
}

size_t ln_catalogue_argument(ln_kind kind, size_t i, size_t j, char *text, size_t size) {
    entry e;
    if (!find(kind, i, &e) || j >= ln_catalogue_argument_count(kind, i)) return 0;
    const size_t n = row_count(e.attrs);
    return ln_attr_describe(j < n ? &e.attrs[j] : &e.more[j - n], text, size);
}

ln_status ln_catalogue_check(ln_kind kind, const char *text, ln_error *error) {
    unsigned char   args[LN_MAX_OPTIM_ARGS];
    ln_optimizer_id optimizer;
    ln_pace         pace;
    ln_line         line;
    ln_init         init;
    ln_augment      augment;
    if (kind == LN_KIND_DATA) return ln_generator_check(text, error);
    if (kind == LN_KIND_AUGMENTATION) return ln_augment_parse(text, &augment, error);
    if (kind == LN_KIND_OPTIMIZER) return ln_optimizer_parse(text, &optimizer, args, error);
    if (kind == LN_KIND_SCHEDULE) return ln_schedule_parse(text, &pace, error);
    if (kind == LN_KIND_INIT) return ln_init_parse(text, &init, error);
    const ln_status status = ln_line_split(text, kind == LN_KIND_LOSS ? "loss" : "layer", &line, error);
    if (status != LN_OK) return status;
    const ln_op *const op = ln_op_named(line.word, kind == LN_KIND_LOSS, error);
    unsigned char      op_args[LN_MAX_ARGS], more[LN_MAX_ARGS];
    if (!op) return LN_E_ARGUMENT;
    return ln_attr_parse(line.rest, line.word, op->attrs, op_args, op->args_size, ln_layer_attrs(op), more, sizeof more,
                         error);
}
