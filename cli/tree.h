/* tree.h: a YAML file as a small tree of texts, mappings and lists, each with its line. What recipes do not use
 * (anchors, aliases, tags, several documents) is refused, so that a tree is never larger than its file. */
#ifndef LN_CLI_TREE_H
#define LN_CLI_TREE_H

#include "linnet.h"
#include "text.h"

enum { TREE_MAX_BYTES = 256 * 1024, TREE_MAX_DEPTH = 8 };

typedef enum tree_kind { TREE_TEXT, TREE_MAP, TREE_LIST } tree_kind;

typedef struct tree tree;
struct tree {
    tree_kind   kind;
    const char *text;  /* TREE_TEXT */
    const char *key;   /* in a mapping */
    size_t      line;  /* of the value, from 1 */
    size_t      key_line;
    tree       *first, *next; /* children; siblings */
};

/* bytes (n of them) of the file called name. Memory is the pool's. NULL, with "NAME:LINE: …", when it is not YAML of
 * this kind. */
tree *tree_read(pool *owner, const char *name, const char *bytes, size_t n, ln_error *error);

#endif
