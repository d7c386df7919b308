/* tree.c: libyaml's events into a tree. Recursion is bounded by TREE_MAX_DEPTH, memory by the file's size. */
#include "tree.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

typedef struct reader {
    pool         *owner;
    const char   *name, *bytes;
    size_t        n;
    yaml_parser_t parser;
    ln_error     *error;
} reader;

__attribute__((format(printf, 3, 4))) static void *fail(reader *r, size_t line, const char *format, ...) {
    if (!r->error) return NULL;
    va_list list;
    va_start(list, format);
    const int at = snprintf(r->error->message, sizeof r->error->message, "%.200s:%zu: ", r->name, line);
    vsnprintf(r->error->message + at, sizeof r->error->message - (size_t)at, format, list);
    va_end(list);
    r->error->status = LN_E_FORMAT;
    return NULL;
}

static size_t line_of(const yaml_event_t *event) { return event->start_mark.line + 1; }

/* libyaml gives the place of a bad byte as an offset, of everything else as a line. */
static void *fail_parser(reader *r) {
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_READER_ERROR) {
        size_t line = 1;
        for (size_t i = 0; i < p->problem_offset && i < r->n; i++) line += r->bytes[i] == '\n';
        if (p->problem_offset < r->n && r->bytes[p->problem_offset] == '\0')
            return fail(r, line, "a NUL byte, which no text has: take it out");
        return fail(r, line, "this is not UTF-8 text (%s): save the file as UTF-8", p->problem);
    }
    if (p->error == YAML_MEMORY_ERROR) return fail(r, 1, "out of memory while reading");
    const size_t line = p->problem_mark.line + 1;
    const size_t context_line = p->context_mark.line + 1;
    for (size_t i = 0, at = 1; i < r->n && at <= line; at += r->bytes[i++] == '\n')
        if (at == line && r->bytes[i] == '\t')
            return fail(r, line, "a tab where YAML wants spaces: indent with spaces");
    if (p->context && context_line != line)
        return fail(r, line, "not YAML: %s, %s that begins on line %zu", p->problem, p->context, context_line);
    return fail(r, line, "not YAML: %s", p->problem ? p->problem : "it cannot be read");
}

static bool next(reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(&r->parser, event)) return true;
    fail_parser(r);
    return false;
}

static const yaml_char_t *anchor_of(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT: return event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.anchor;
    default: return NULL;
    }
}

static const yaml_char_t *tag_of(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT: return event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.tag;
    default: return NULL;
    }
}

static bool refuse_extras(reader *r, const yaml_event_t *event) {
    if (event->type == YAML_ALIAS_EVENT)
        return fail(r, line_of(event), "alias '*%.40s': a recipe uses no anchors and aliases; write the value out",
                    (const char *)event->data.alias.anchor),
               false;
    if (anchor_of(event))
        return fail(r, line_of(event), "anchor '&%.40s': a recipe uses no anchors and aliases; write the value out",
                    (const char *)anchor_of(event)),
               false;
    if (tag_of(event))
        return fail(r, line_of(event), "a recipe uses no tags such as '!!str'; write the plain value"), false;
    return true;
}

static const char *text_of(reader *r, const yaml_event_t *event) {
    const char  *value = (const char *)event->data.scalar.value;
    const size_t length = event->data.scalar.length;
    if (memchr(value, '\0', length)) return fail(r, line_of(event), "a value holds a NUL character");
    return pool_copy(r->owner, value, length);
}

static tree *value(reader *r, const yaml_event_t *event, size_t depth);

/* The key of the next pair into *key, or NULL there at the mapping's end. */
static bool read_key(reader *r, const tree *map, const char **key, size_t *line) {
    yaml_event_t event;
    if (!next(r, &event)) return false;
    bool good = refuse_extras(r, &event);
    *key = NULL;
    *line = line_of(&event);
    if (good && event.type == YAML_SCALAR_EVENT) {
        *key = text_of(r, &event);
        good = *key != NULL;
    } else if (good && event.type != YAML_MAPPING_END_EVENT) {
        fail(r, *line, "a key must be a word");
        good = false;
    }
    yaml_event_delete(&event);
    for (const tree *t = map->first; good && *key && t; t = t->next)
        if (strcmp(t->key, *key) == 0) {
            fail(r, *line, "key '%.60s' a second time; the first is on line %zu", *key, t->key_line);
            good = false;
        }
    return good;
}

static tree *read_map(reader *r, tree *map, size_t depth) {
    tree **end = &map->first;
    for (;;) {
        const char *key;
        size_t      line;
        if (!read_key(r, map, &key, &line)) return NULL;
        if (!key) return map;
        yaml_event_t event;
        if (!next(r, &event)) return NULL;
        tree *child = value(r, &event, depth + 1);
        yaml_event_delete(&event);
        if (!child) return NULL;
        child->key = key;
        child->key_line = line;
        *end = child;
        end = &child->next;
    }
}

static tree *read_list(reader *r, tree *list, size_t depth) {
    tree **end = &list->first;
    for (;;) {
        yaml_event_t event;
        if (!next(r, &event)) return NULL;
        const bool ends = event.type == YAML_SEQUENCE_END_EVENT;
        tree      *child = ends ? NULL : value(r, &event, depth + 1);
        yaml_event_delete(&event);
        if (ends) return list;
        if (!child) return NULL;
        *end = child;
        end = &child->next;
    }
}

static tree *value(reader *r, const yaml_event_t *event, size_t depth) {
    if (!refuse_extras(r, event)) return NULL;
    if (depth > TREE_MAX_DEPTH)
        return fail(r, line_of(event), "nested more than %d deep; a recipe needs 3", TREE_MAX_DEPTH);
    tree *t = pool_take(r->owner, sizeof *t);
    t->line = line_of(event);
    switch (event->type) {
    case YAML_SCALAR_EVENT: t->text = text_of(r, event); return t->text ? t : NULL;
    case YAML_MAPPING_START_EVENT: t->kind = TREE_MAP; return read_map(r, t, depth);
    case YAML_SEQUENCE_START_EVENT: t->kind = TREE_LIST; return read_list(r, t, depth);
    default: return fail(r, t->line, "a value is missing");
    }
}

/* STREAM-START DOCUMENT-START value DOCUMENT-END STREAM-END */
static tree *read_document(reader *r) {
    tree *root = NULL;
    for (;;) {
        yaml_event_t event;
        if (!next(r, &event)) return NULL;
        const yaml_event_type_t type = event.type;
        const size_t            line = line_of(&event);
        tree                   *t = NULL;
        if (type == YAML_DOCUMENT_START_EVENT && root) fail(r, line, "a second document begins here; a recipe is one");
        const bool is_value = type != YAML_STREAM_START_EVENT && type != YAML_DOCUMENT_START_EVENT &&
                              type != YAML_DOCUMENT_END_EVENT && type != YAML_STREAM_END_EVENT;
        if (is_value) t = value(r, &event, 0);
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return root ? root : fail(r, 1, "the file is empty; a recipe has the keys data, model and train");
        if ((is_value && !t) || (type == YAML_DOCUMENT_START_EVENT && root)) return NULL;
        if (t) root = t;
    }
}

tree *tree_read(pool *owner, const char *name, const char *bytes, size_t n, ln_error *error) {
    const size_t mark = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* some editors begin a file so */
    reader       r = {.owner = owner, .name = name, .bytes = bytes + mark, .n = n - mark, .error = error};
    if (n > TREE_MAX_BYTES)
        return fail(&r, 1, "the file has more than %d KiB; this is no recipe", TREE_MAX_BYTES / 1024);
    if (!yaml_parser_initialize(&r.parser)) return fail(&r, 1, "out of memory while reading");
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.bytes, r.n);
    tree *root = read_document(&r);
    yaml_parser_delete(&r.parser);
    return root;
}
