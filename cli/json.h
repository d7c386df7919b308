/* json.h: lines of JSON for programs. */
#ifndef LN_CLI_JSON_H
#define LN_CLI_JSON_H

#include "text.h"

#include <cjson/cJSON.h>
#include <stdio.h>

/* A whole number; what is not finite becomes null. */
void json_count(cJSON *object, const char *key, size_t n);
/* With nine digits, as results.csv has it; what is not finite becomes null. */
void json_number(cJSON *object, const char *key, double x);
/* NULL becomes null. */
void json_text(cJSON *object, const char *key, const char *value);
/* One line; frees the value. */
void json_add(text *to, cJSON *value);
/* The same to standard output, at once. */
void json_print(cJSON *value);

#endif
