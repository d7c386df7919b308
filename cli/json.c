/* json.c: lines of JSON for programs. */
#include "json.h"

#include <math.h>
#include <stdint.h>

void json_count(cJSON *object, const char *key, size_t n) {
    pool owner = {0};
    cJSON_AddRawToObject(object, key, pool_format(&owner, "%zu", n));
    pool_free(&owner);
}

void json_number(cJSON *object, const char *key, double x) {
    pool owner = {0};
    if (isfinite(x)) cJSON_AddRawToObject(object, key, pool_format(&owner, "%.9g", x));
    else cJSON_AddNullToObject(object, key);
    pool_free(&owner);
}

void json_text(cJSON *object, const char *key, const char *value) {
    if (value) cJSON_AddStringToObject(object, key, value);
    else cJSON_AddNullToObject(object, key);
}

void json_add(text *to, cJSON *value) {
    char *const written = cJSON_PrintUnformatted(value);
    if (!written) (void)take(SIZE_MAX, 1); /* says what is wrong and ends */
    text_make_utf8(written);               /* cJSON passes names of files on as they are */
    text_add(to, "%s\n", written);
    cJSON_free(written);
    cJSON_Delete(value);
}

void json_print(cJSON *value) {
    text line = {0};
    json_add(&line, value);
    fputs(line.bytes, stdout);
    fflush(stdout);
    text_free(&line);
}
