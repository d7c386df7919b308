/* The list of ops, from ops.def. */
#include "op/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LN_OP(name) extern const ln_op ln_op_##name;
#include "op/ops.def"
#undef LN_OP

#define LN_OP(name) &ln_op_##name,
const ln_op *const ln_ops[LN_OP_COUNT] = {
#include "op/ops.def"
};
#undef LN_OP

const ln_op *ln_op_find(const char *name) {
    for (size_t i = 0; i < LN_OP_COUNT; i++)
        if (strcmp(ln_ops[i]->name, name) == 0) return ln_ops[i];
    return NULL;
}

const ln_op *ln_op_named(const char *word, bool loss, ln_error *error) {
    const ln_op *const op = ln_op_find(word);
    if (op && ((op->traits & LN_LOSS) != 0) == loss) return op;
    const char *words[LN_OP_COUNT];
    char        list[400] = "";
    size_t      n = 0, length = 0;
    for (size_t i = 0; i < LN_OP_COUNT; i++)
        if (((ln_ops[i]->traits & LN_LOSS) != 0) == loss) {
            words[n++] = ln_ops[i]->name;
            length +=
                (size_t)snprintf(list + length, sizeof list - length, "%s%s", length ? ", " : "", ln_ops[i]->name);
            if (length >= sizeof list) break;
        }
    const char *const near = ln_nearest(word, words, n);
    ln_fail(error, LN_E_ARGUMENT, "unknown %s '%s'; allowed: %s%s%s%s", loss ? "loss" : "layer", word, list,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return NULL;
}

ln_status ln_infer_same(ln_node *node, ln_error *error) {
    (void)error;
    node->out = node->in[0];
    return LN_OK;
}

ln_status ln_fail_node(ln_error *error, ln_status status, const ln_node *node, const char *format, ...) {
    char    text[400];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return ln_fail(error, status, "layer %s (%s): %s", node->name, node->op->name, text);
}
