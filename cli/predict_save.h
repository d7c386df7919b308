/* predict_save.h: what a network saw, as pictures in a folder. */
#ifndef LN_CLI_PREDICT_SAVE_H
#define LN_CLI_PREDICT_SAVE_H

#include "linnet.h"
#include "text.h"

#include <stdint.h>

/* Images of one shape, and what their files are to be called. {0} is empty. */
typedef struct seen {
    uint8_t     *bytes;
    const char **names;
    size_t       n, capacity, c, h, w;
    pool         owner;
} seen;

/* May pictures be written there? A look in good time: seen_write refuses it as well. */
bool seen_may(const char *folder, ln_error *error);
/* Adds image i of data, whose values times scale are 0 to 1, to be called SOURCE_GUESS.png, where SOURCE is what the
 * last part of source is called without its ending. */
void seen_add(seen *s, const char *source, const char *guess, const ln_data *data, size_t i, double scale);
/* Writes all of them to a folder, which must be new or empty; of equal names the second is NAME+2.png, and so on. */
bool seen_write(seen *s, ln_context *context, const char *folder, ln_error *error);
void seen_free(seen *s);

#endif
