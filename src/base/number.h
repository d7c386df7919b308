/* Numbers as text, the same in every locale: what is printed reads back to the same bits. */
#ifndef LN_BASE_NUMBER_H
#define LN_BASE_NUMBER_H

#include "base/error.h"

#include <locale.h>

enum { LN_NUMBER_TEXT = 32 }; /* room for any number as text */

/* A finite decimal number ("-1", "0.05", "1e-4") that fills all of text. LN_E_FORMAT when it is not one (also for nan,
 * inf, hexadecimal, blanks); LN_E_ARGUMENT when a double cannot hold it (1e999, 1e-999). */
ln_status ln_number_read(const char *text, double *value);
/* The same for a whole number: an optional minus and digits. */
ln_status ln_integer_read(const char *text, int64_t *value);
/* The shortest of %.15g, %.16g and %.17g that reads back to the same bits. Returns text. */
const char *ln_number_print(double value, char text[LN_NUMBER_TEXT]);

/* The locale in which numbers are written with a point and system messages are English. Nothing to free. */
locale_t ln_plain_locale(void);

#endif
