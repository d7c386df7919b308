/* A model: layers in the order they were written, their shapes, and their parameters' values. */
#ifndef LN_GRAPH_GRAPH_H
#define LN_GRAPH_GRAPH_H

#include "op/op.h"

enum { LN_MAX_NODES = 1024 }; /* layers a model may have */

struct ln_model {
    ln_context   *context;
    ln_shape      input;
    size_t        n_nodes, capacity;
    ln_node     **node;                           /* stable addresses, in order */
    float       *(*values)[LN_MAX_TENSORS];       /* [node][parameter or buffer]: 64-byte aligned, of the context */
    char        (*line)[LN_MAX_LINE];             /* each layer as a recipe line */
    ln_node       loss;                           /* op NULL: none set yet */
    ln_init       init;                           /* for layers to come */
    size_t        values_left;                    /* that layers to come may have: a file's, as many as it holds */
    ln_preprocess preprocess;
    ln_reading    reading;
    size_t        n_classes;
    char        **class_name;                     /* n_classes pointers, and behind them the texts; NULL: none */
    ln_error      error;                          /* the first one of a builder call */
};

/* Appends a layer of op with arguments given as text (a recipe line without its first word), for ops of the list and
 * for others. from: a name, or "" for the last layer; as: a name, or "" for the position. */
ln_layer ln_model_append(ln_model *model, const ln_op *op, const ln_line *line, ln_error *error);

/* Checks that the model can be planned: at least one layer, every output read, no kept error; sets the default loss if
 * there is none. */
ln_status ln_model_finish(ln_model *model, ln_error *error);

/* The shape of a node's output; -1 is the model's input. */
ln_shape ln_model_shape(const ln_model *model, int node);

/* The words of init kinds and a line of help for each, NULL-terminated, in the order of ln_init_kind. */
extern const char *const ln_init_words[], *const ln_init_help[];
/* "normal std=0.1": a line of init. */
ln_status ln_init_parse(const char *text, ln_init *init, ln_error *error);
/* The arguments that go with an init of that kind. */
const ln_attr *ln_init_attrs(int kind);
/* The arguments that a layer of op takes beside its own, by its traits; an empty table for one without parameters. */
const ln_attr *ln_layer_attrs(const ln_op *op);

#endif
